"""handle-pull: pull a handle up (metaworld 3.0.0, `sawyer_handle_pull_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import choose, move
from lam_envs.tasks.handle_pull_side import HandlePullSide
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write


class HandlePull(HandlePullSide):
    """Pull the red handle at the box's front up.

    Reset vector: box xyz. Success: handle within 5 cm of its pulled height.
    """

    name = "handle-pull"
    instruction = "pull the handle at the front up"
    model_file = "sawyer_xyz/sawyer_handle_press.xml"
    reset_low = (-0.1, 0.8, -0.001)
    reset_high = (0.1, 0.9, 0.001)
    goal_low = (-0.1, 0.55, 0.04)
    goal_high = (0.1, 0.70, 0.18)
    handle_site = "handleRight"
    obj_radius = 0.022
    pad_success_thresh = 0.05
    success_radius = 0.05

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        super().place_objects(worlds, mask, vectors)
        # The reward counts the way from the box's foot, not from the handle, as in the original.
        write(worlds.start.obj_init_pos, mask, vectors)

    def distance(self, offset: torch.Tensor) -> torch.Tensor:
        return offset[:, 2].abs()

    def is_pulled(self, handle: torch.Tensor, handle_init: torch.Tensor) -> torch.Tensor:
        # Always so, for y is compared with z, as in the original.
        return handle[:, 1] - 0.01 > handle_init[:, 2]

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + constant((0.0, -0.04, 0.0), state)
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.02
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.02
        # The point with the handle's height in all three coordinates, as in the original.
        heights = handle[:, 2:].expand(-1, 3)
        up = handle + constant((0.0, 0.0, 0.1), handle)
        desired = choose((is_off, handle), (is_high, heights), otherwise=up)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
