"""What door-open and door-close share: a safe with a door on a hinge."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Task, Vector3
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write


class DoorTask(Task):
    """Base of the tasks whose reset vector is the safe's xyz.

    Class attributes:
        goal_in_safe: From the safe to the goal.
        start_angle_rad: Of the door's hinge: 0 is shut, a negative angle open.
    """

    model_file = "sawyer_xyz/sawyer_door_pull.xml"
    reset_low = (0.0, 0.85, 0.15)
    reset_high = (0.1, 0.95, 0.15)
    placed_body = "door"
    goal_in_safe: ClassVar[Vector3]
    start_angle_rad: ClassVar[float]

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, vectors)
        write(worlds.start.target_pos, mask, vectors + constant(self.goal_in_safe, vectors))
        worlds.set_object_joint(mask, self.start_angle_rad)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("handle"))
        return torch.cat((worlds.geom_pos("handle"), quat), 1)
