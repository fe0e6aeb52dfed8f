"""door-unlock: turn a lock aside (metaworld 3.0.0, `sawyer_door_unlock_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.lock import LockTask, turned
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_LOCKED_RAD = 1.5708
_SHOULDER_IN_HAND = (0.0, 0.055, 0.07)


class DoorUnlock(LockTask):
    """Turn the lock of the safe's door, which points down, to the right.

    Reset vector: safe xyz. Success: lock's end within 2 cm of its unlocked position along x.
    """

    name = "door-unlock"
    instruction = "unlock the door"
    goal_low = (0.0, 0.64, 0.2100)
    goal_high = (0.2, 0.7, 0.2111)
    lock_site = "lockStartUnlock"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.set_object_joint(mask, _LOCKED_RAD)
        lock = worlds.body_pos("lock_link")
        write(worlds.start.obj_init_pos, mask, lock)
        write(worlds.start.target_pos, mask, lock + constant((0.1, -0.04, 0.0), lock))

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, hand, lock = worlds.start, state[:, :3], state[:, 4:7]
        shoulder = constant(_SHOULDER_IN_HAND, lock)
        scale = constant((0.25, 1.0, 0.5), lock)
        ready = nearness(
            ((hand + shoulder - lock) * scale).norm(dim=1),
            0.02,
            margin=((start.init_tcp + shoulder - start.obj_init_pos) * scale).norm(dim=1),
        )
        aside = (start.target_pos[:, 0] - lock[:, 0]).abs()
        return Outcome(2 * ready + 8 * turned(aside), aside <= 0.02)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        lock = state[:, 4:7] + constant((-0.04, -0.02, -0.03), state)
        is_off = (hand[:, :2] - lock[:, :2]).norm(dim=1) > 0.02
        is_high = hand[:, 2] > 0.15
        desired = choose(
            (is_off & is_high, hand + constant((0.0, -0.1, -0.1), hand)),
            (is_off, lock),
            otherwise=lock + constant((0.1, 0.0, 0.01), lock),
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
