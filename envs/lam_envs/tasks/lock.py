"""What door-lock and door-unlock share: a safe whose door has a lock that turns by a quarter."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Task, as_float32
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds

_LOCK_LENGTH_M = 0.1


class LockTask(Task):
    """Base of the tasks whose reset vector is the safe's xyz.

    Class attributes:
        lock_site: Site of the model that is the lock's end.
    """

    model_file = "sawyer_xyz/sawyer_door_lock.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    hand_low = (-0.5, 0.40, -0.15)
    reset_low = (-0.1, 0.8, 0.15)
    reset_high = (0.1, 0.85, 0.15)
    placed_body = "door"
    settles_with_draw = True
    lock_site: ClassVar[str]

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((worlds.site_pos(self.lock_site), worlds.body_quat("door_link")), 1)


def turned(distance: torch.Tensor) -> torch.Tensor:
    """Return how far the lock is turned, shape (N,), for its way to the target in metres."""
    return nearness(distance, 0.005, margin=_LOCK_LENGTH_M)
