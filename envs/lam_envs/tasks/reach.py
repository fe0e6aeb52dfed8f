"""reach: bring the hand to a goal in free space (metaworld 3.0.0, `sawyer_reach_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, move
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_HAND_OVER_TCP_M = 0.045
"""Height of the hand over the tool centre point."""


class Reach(PuckTask):
    """Move the hand to the green marker; the puck on the table does not matter.

    Reset vector: puck xyz, goal xyz. Success: tool centre point within 5 cm of the goal.
    """

    name = "reach"
    instruction = "move the gripper to the green marker"
    model_file = "sawyer_xyz/sawyer_reach_v3.xml"
    reset_low = (-0.1, 0.6, 0.02, -0.1, 0.8, 0.05)
    reset_high = (0.1, 0.7, 0.02, 0.1, 0.9, 0.3)
    goal_low = (-0.1, 0.8, 0.05)
    goal_high = (0.1, 0.9, 0.3)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        target = worlds.start.target_pos
        distance = (worlds.tcp - target).norm(dim=1)
        hand_init = constant(self.hand_init_pos, target)
        in_place = nearness(distance, 0.05, margin=(hand_init - target).norm(dim=1))
        return Outcome(10 * in_place, distance <= 0.05)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, goal = state[:, :3], state[:, -3:]
        effort = torch.zeros_like(state[:, :1])
        return torch.cat((move(hand, goal, 5.0), effort), 1)

    def teacher(self, state: torch.Tensor) -> torch.Tensor:
        """Bring the tool centre point to the goal, where success is measured.

        The expert brings the hand there, which leaves 8 mm of the 5 cm that are allowed.
        """
        aim = state.clone()
        aim[:, -1] += _HAND_OVER_TCP_M
        return self.expert(aim)
