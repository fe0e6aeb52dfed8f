"""door-lock: turn a lock down (metaworld 3.0.0, `sawyer_door_lock_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.lock import LockTask, turned
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import NUM_SUBSTEPS, SawyerWorlds
from lam_envs.tensors import constant, write


class DoorLock(LockTask):
    """Turn the lock of the safe's door down.

    Reset vector: safe xyz. Success: lock's end within 2 cm of its locked height.
    """

    name = "door-lock"
    instruction = "lock the door"
    goal_low = (-0.5, 0.40, -0.15)
    lock_site = "lockStartLock"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        # One more control step, as in the original.
        worlds.sim.step(mask, num_substeps=NUM_SUBSTEPS, refresh=False)
        lock = worlds.body_pos("lock_link")
        write(worlds.start.obj_init_pos, mask, lock)
        write(worlds.start.target_pos, mask, lock + constant((0.0, -0.04, -0.1), lock))

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        opening, lock = state[:, 3], state[:, 4:7]
        scale = constant((0.25, 1.0, 0.5), lock)
        pad_to_lock = ((lock - worlds.body_pos("leftpad")) * scale).norm(dim=1)
        # The margin is the present distance, not the first, as in the original, which keeps a
        # live view of the pad's start.
        near = nearness(pad_to_lock, 0.01, margin=pad_to_lock)
        height = (worlds.start.target_pos[:, 2] - lock[:, 2]).abs()
        reward = 2 * hamacher_product(opening.clamp(min=0.0), near) + 8 * turned(height)
        return Outcome(reward, height <= 0.02)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        lock = state[:, 4:7] + constant((-0.02, -0.02, 0.0), state)
        is_off = (hand[:, :2] - lock[:, :2]).norm(dim=1) > 0.02
        is_low = hand[:, 2] < 0.25
        is_high = (hand[:, 2] - lock[:, 2]).abs() > 0.02
        desired = choose(
            (is_off & is_low, hand + constant((0.0, -0.1, 0.1), hand)),
            (is_off, lock + constant((0.0, 0.0, 0.3), lock)),
            (is_high, lock),
            otherwise=lock + constant((-0.1, 0.0, -0.1), lock),
        )
        return torch.cat((move(hand, desired, 25.0), -torch.ones_like(state[:, :1])), 1)
