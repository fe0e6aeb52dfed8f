"""sweep-into: sweep a cube into a hole (metaworld 3.0.0, `sawyer_sweep_into_goal_v3.py`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.sweeping import SweepingTask
from lam_envs.tensors import constant, write

_HOLE = (0.0, 0.84, 0.02)
_MIN_DISTANCE_M = 0.15


class SweepInto(SweepingTask):
    """Grip the cube and sweep it into the hole in the table.

    Reset vector: cube xyz (its height is replaced by the settled cube's), and a goal xyz without a
    meaning. Success: cube within 5 cm of the hole's middle, at any height.
    """

    name = "sweep-into"
    instruction = "sweep the cube into the hole in the table"
    model_file = "sawyer_xyz/sawyer_table_with_hole.xml"
    reset_low = (-0.1, 0.6, 0.02, -0.001, 0.8399, 0.0199)
    reset_high = (0.1, 0.7, 0.02, 0.001, 0.8401, 0.0201)
    goal_low = (-0.001, 0.8399, 0.0199)
    goal_high = (0.001, 0.8401, 0.0201)
    grip_margin = 0.005
    xz_thresh = 0.01

    def is_valid_reset(self, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        distance = np.linalg.norm(vectors[:, :2] - np.asarray(_HOLE[:2]), axis=1)
        return np.asarray(distance >= _MIN_DISTANCE_M)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        height = worlds.body_pos("obj")[:, 2]
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], height))
        write(worlds.start.target_pos, mask, constant(_HOLE, vectors))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("objGeom"))
        return torch.cat((worlds.body_pos("obj"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        cube = state[:, 4:7]
        return self.outcome(worlds, cube, at_height(worlds.start.target_pos, cube[:, 2]))

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, cube, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        grip = cube + constant((-0.005, 0.0, 0.01), cube)
        desired = choose(
            (
                (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.04,
                grip + constant((0.0, 0.0, 0.3), cube),
            ),
            ((hand[:, 2] - grip[:, 2]).abs() > 0.04, grip),
            otherwise=goal,
        )
        is_far = ((hand[:, :2] - cube[:, :2]).norm(dim=1) > 0.04) | (
            (hand[:, 2] - cube[:, 2]).abs() > 0.15
        )
        effort = torch.where(is_far, -1.0, 0.7).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
