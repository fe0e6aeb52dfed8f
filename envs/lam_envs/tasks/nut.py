"""What assembly and disassemble share: a ring with a handle, laid flat, and a peg for it."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.grasp import along_handle, caging
from lam_envs.tasks.rewards import Density, likeness
from lam_envs.tasks.sawyer import SawyerWorlds

_HALF_HANDLE_M = 0.02 / 2.0
_FLAT = (0.707, 0.0, 0.0, 0.707)


class NutTask(Task):
    """Base of the tasks whose reset vector is ring xyz, goal xyz; the object is the handle.

    Class attributes:
        density: Which extra terms the reward for gripping the handle has.
    """

    model_file = "sawyer_xyz/sawyer_assembly_peg.xml"
    min_goal_distance_m = 0.1
    density: ClassVar[Density]

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
