"""What assembly and disassemble share: a ring with a handle, laid flat, and a peg for it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.grasp import along_handle, caging
from lam_envs.tasks.rewards import Density, likeness
from lam_envs.tasks.sawyer import SawyerWorlds

_MIN_DISTANCE_M = 0.1
_HALF_HANDLE_M = 0.02 / 2.0
_FLAT = (0.707, 0.0, 0.0, 0.707)


class NutTask(Task):
    """Base of the tasks whose reset vector is ring xyz, goal xyz; the object is the handle.

    Class attributes:
        density: Which extra terms the reward for gripping the handle has.
    """

    model_file = "sawyer_xyz/sawyer_assembly_peg.xml"
    density: ClassVar[Density]

    def is_valid_reset(self, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        distance = np.linalg.norm(vectors[:, :2] - vectors[:, 3:5], axis=1)
        return np.asarray(distance >= _MIN_DISTANCE_M)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((worlds.site_pos("RoundNut-8"), worlds.body_quat("RoundNut")), 1)

    def outcome(
        self,
        worlds: SawyerWorlds,
        state: torch.Tensor,
        actions: torch.Tensor,
        *,
        in_place: torch.Tensor,
        is_success: torch.Tensor,
    ) -> Outcome:
        """Return the outcome: gripping and placing count while the ring stays flat.

        Args:
            worlds: The worlds after the step.
            state: Clipped state after the step, shape (N, 39).
            actions: Actions of the step, shape (N, 4).
            in_place: How near the ring is to its place, shape (N,), in [0, 1].
            is_success: Whether it is there, shape (N,), bool.
        """
        grasped = caging(
            worlds,
            actions,
            along_handle(state[:, 4:7], state[:, :3], _HALF_HANDLE_M),
            obj_radius=0.015,
            pad_success_thresh=0.02,
            xz_thresh=0.01,
            object_reach_radius=0.01,
            density=self.density,
        )
        reward = (2.0 * grasped + 6.0 * in_place) * likeness(state[:, 7:11], _FLAT, margin=0.4)
        return Outcome(torch.where(is_success, 10.0, reward), is_success)
