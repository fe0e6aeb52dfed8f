"""sweep: sweep a cube to the table's right end (metaworld 3.0.0, `sawyer_sweep_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.sweeping import SweepingTask
from lam_envs.tensors import constant, write

_CUBE_HEIGHT_M = 0.02
_GOAL_X_M = 0.5
_GOAL_HEIGHT_M = 0.01


class Sweep(SweepingTask):
    """Grip the cube and sweep it half a metre to the right.

    Reset vector: cube xyz (its height is replaced by 2 cm). Success: cube within 5 cm of the goal,
    which is to the right of its start.
    """

    name = "sweep"
    instruction = "sweep the cube to the right to the green marker"
    model_file = "sawyer_xyz/sawyer_sweep_v3.xml"
    reset_low = (-0.1, 0.6, 0.02)
    reset_high = (0.1, 0.7, 0.02)
    goal_low = (0.49, 0.6, 0.0)
    goal_high = (0.51, 0.7, 0.02)
    shows_goal = True
    grip_margin = 0.01
    xz_thresh = 0.005

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        goal = at_height(vectors, _GOAL_HEIGHT_M)
        goal[:, 0] = _GOAL_X_M
        write(worlds.start.obj_init_pos, mask, at_height(vectors, _CUBE_HEIGHT_M))
        write(worlds.start.target_pos, mask, goal)
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return worlds.body_pose("obj")

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        return self.outcome(worlds, state[:, 4:7], worlds.start.target_pos)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, cube = state[:, :3], state[:, 4:7]
        grip = cube + constant((0.0, 0.0, 0.015), cube)
        beyond = state[:, -3:] + constant((0.0, 0.0, 0.1), cube)
        is_off = (hand[:, :2] - cube[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - grip[:, 2]).abs() > 0.04
        is_before = hand[:, 0] < 0.2
        desired = choose(
            (is_before & is_off, grip + constant((0.0, 0.0, 0.3), cube)),
            (is_before & is_high, grip),
            otherwise=beyond,
        )
        is_open = is_off | ((hand[:, 2] - cube[:, 2]).abs() > 0.15) | (cube[:, 0] >= 0.4)
        effort = torch.where(is_open, -1.0, 0.7).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
