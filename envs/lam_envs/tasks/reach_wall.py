"""reach-wall: bring the hand behind a wall (metaworld 3.0.0, `sawyer_reach_wall_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import choose
from lam_envs.tasks.reach import Reach
from lam_envs.tensors import constant


class ReachWall(Reach):
    """Move the hand over the wall to the green marker; the puck does not matter.

    Reset vector: puck xyz, goal xyz. Success: tool centre point within 5 cm of the goal.
    """

    name = "reach-wall"
    instruction = "move the gripper over the wall to the green marker"
    model_file = "sawyer_xyz/sawyer_reach_wall_v3.xml"
    reset_low = (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05)
    reset_high = (0.05, 0.65, 0.015, 0.05, 0.9, 0.3)
    goal_low = (-0.05, 0.85, 0.05)
    goal_high = (0.05, 0.9, 0.3)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        (x, y, z), goal = state[:, :3].unbind(1), state[:, -3:]
        is_before_wall = (x >= -0.1) & (x <= 0.3) & (y >= 0.60) & (y <= 0.80) & (z < 0.25)
        way = choose((is_before_wall, goal + constant((0.0, 0.0, 1.0), goal)), otherwise=goal)
        # Reach's own expert, which goes by this way to the goal.
        return super().expert(torch.cat((state[:, :-3], way), 1))
