"""What reach, push and their like share: an object to grasp, and a goal 15 cm from it or more."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Task
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import write


class PuckTask(Task):
    """Base of the tasks whose reset vector is puck (or block) xyz, goal xyz."""

    shows_goal = True
    min_goal_distance_m = 0.15

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("objGeom"))
        return torch.cat((worlds.body_pos("obj"), quat), 1)

    def closeness(
        self, worlds: SawyerWorlds, distance: torch.Tensor, radius: float
    ) -> torch.Tensor:
        """Return how close the object is to the goal, shape (N,): 1 within the radius.

        Args:
            worlds: The worlds.
            distance: From object to goal, shape (N,), metres.
            radius: Where it counts as there, metres.
        """
        start = worlds.start
        return nearness(
            distance, radius, margin=(start.obj_init_pos - start.target_pos).norm(dim=1)
        )
