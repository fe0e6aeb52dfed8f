"""drawer-open: pull a drawer open by its handle (metaworld 3.0.0, `sawyer_drawer_open_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.drawer import DrawerTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_MAX_DISTANCE_M = 0.2


class DrawerOpen(DrawerTask):
    """Pull the drawer open by 20 cm.

    Reset vector: drawer xyz. Success: handle within 3 cm of its open position.
    """

    name = "drawer-open"
    instruction = "open the drawer"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        opened = constant((0.0, -0.16 - _MAX_DISTANCE_M, 0.09), vectors)
        write(worlds.start.obj_init_pos, mask, vectors)
        write(worlds.start.target_pos, mask, vectors + opened)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        link = worlds.body_pos("drawer_link")
        handle = link + constant((0.0, -0.16, 0.0), link)
        return torch.cat((handle, worlds.body_quat("drawer_link")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        hand, handle, target = state[:, :3], state[:, 4:7], worlds.start.target_pos
        handle_error = (handle - target).norm(dim=1)
        opening = nearness(handle_error, 0.02, margin=_MAX_DISTANCE_M)
        handle_init = target + constant((0.0, _MAX_DISTANCE_M, 0.0), target)
        scale = constant((3.0, 3.0, 1.0), target)
        caging = nearness(
            ((handle - hand) * scale).norm(dim=1),
            0.01,
            margin=((handle_init - worlds.start.init_tcp) * scale).norm(dim=1),
        )
        return Outcome(5.0 * (caging + opening), handle_error <= 0.03)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + constant((0.0, 0.0, -0.02), state)
        above = handle + constant((0.0, 0.0, 0.3), state)
        behind = handle + constant((0.0, -0.06, 0.0), state)
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.06
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.04
        displacement = choose(
            (is_off, move(hand, above, 4.0)),
            (is_high, move(hand, handle, 4.0)),
            otherwise=move(hand, behind, 50.0),
        )
        return torch.cat((displacement, -torch.ones_like(state[:, :1])), 1)
