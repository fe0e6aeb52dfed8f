"""What sweep and sweep-into share: a cube that is gripped and pushed over the table."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.grasp import pinching
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds

_RADIUS_M = 0.05
_CUBE_RADIUS_M = 0.02


class SweepingTask(Task):
    """Base of the tasks whose object is a cube that goes within 5 cm of a target.

    Class attributes:
        grip_margin: See `pinching`.
        xz_thresh: See `pinching`.
    """

    grip_margin: ClassVar[float]
    xz_thresh: ClassVar[float]

    def outcome(self, worlds: SawyerWorlds, cube: torch.Tensor, target: torch.Tensor) -> Outcome:
        """Return the outcome of a step.

        Args:
            worlds: The worlds after the step.
            cube: Position of the cube, shape (N, 3), metres.
            target: Where it should be, shape (N, 3), metres.
        """
        distance = (cube - target).norm(dim=1)
        margin = (worlds.start.obj_init_pos - target).norm(dim=1)
        in_place = nearness(distance, _RADIUS_M, margin=margin)
        grasped = pinching(
            worlds,
            cube,
            obj_radius=_CUBE_RADIUS_M,
            grip_margin=self.grip_margin,
            xz_thresh=self.xz_thresh,
        )
        reward = 2 * grasped + 6 * hamacher_product(grasped, in_place)
        reward = torch.where(distance < _RADIUS_M, 10.0, reward)
        return Outcome(reward, distance <= _RADIUS_M)
