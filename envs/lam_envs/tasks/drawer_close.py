"""drawer-close: push an open drawer shut (metaworld 3.0.0, `sawyer_drawer_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.drawer import DrawerTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_OPENING_M = 0.15
_RADIUS_M = 0.05
_SUCCESS_RADIUS_M = 0.065
_HANDLE_RADIUS_M = 0.005


class DrawerClose(DrawerTask):
    """Push the drawer, 15 cm open, shut.

    Reset vector: drawer xyz. Success: handle within 6.5 cm of its shut position.
    """

    name = "drawer-close"
    instruction = "close the drawer"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        shut = constant((0.0, -0.16, 0.09), vectors)
        write(worlds.start.target_pos, mask, vectors + shut)
        worlds.set_joint("goal_slidey", mask, -_OPENING_M)
        worlds.sim.forward(mask)
        write(worlds.start.obj_init_pos, mask, _handle(worlds))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = _handle(worlds)
        return torch.cat((handle, handle.new_zeros(len(handle), 4)), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, handle = worlds.start, state[:, 4:7]
        handle_error = (handle - start.target_pos).norm(dim=1)
        error_init = (start.obj_init_pos - start.target_pos).norm(dim=1)
        in_place = nearness(handle_error, _RADIUS_M, margin=(error_init - _RADIUS_M).abs())
        reach = nearness(
            (handle - worlds.tcp).norm(dim=1),
            _HANDLE_RADIUS_M,
            margin=((start.obj_init_pos - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
            sigmoid="gaussian",
        )
        reach = hamacher_product(reach, actions[:, 3].to(reach.dtype).clamp(0, 1))
        is_success = handle_error <= _SUCCESS_RADIUS_M
        reward = torch.where(is_success, 1.0, hamacher_product(reach, in_place))
        return Outcome(10 * reward, is_success)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + constant((0.0, 0.0, -0.02), state)
        rise = at_height(hand, handle[:, 2] + 0.5)
        above = handle + constant((0.0, -0.075, 0.23), state)
        front = handle + constant((0.0, -0.075, 0.0), state)
        is_behind = hand[:, 1] > handle[:, 1]
        is_low = hand[:, 2] < handle[:, 2] + 0.23
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.04
        desired = choose(
            (is_behind & is_low, rise), (is_behind, above), (is_high, front), otherwise=handle
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)


def _handle(worlds: SawyerWorlds) -> torch.Tensor:
    """Return the handle's position, shape (N, 3)."""
    link = worlds.body_pos("drawer_link")
    return link + constant((0.0, -0.16, 0.05), link)
