"""What faucet-open and faucet-close share: a faucet whose handle turns by a quarter."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Task, Vector3, choose, move
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_HANDLE_LENGTH_M = 0.175
_RADIUS_M = 0.07
_HANDLE_RADIUS_M = 0.01


class FaucetTask(Task):
    """Base of the tasks whose reset vector is the faucet's xyz.

    They start with the faucet's foot in `obj_init_pos`.

    Class attributes:
        handle_site: Site of the model that is the handle's end.
        direction: Along x: 1 turns to the right, -1 to the left.
        aim_in_handle: From the handle's end to the point that the reward follows.
    """

    model_file = "sawyer_xyz/sawyer_faucet.xml"
    hand_init_pos = (0.0, 0.4, 0.2)
    hand_low = (-0.5, 0.40, -0.15)
    goal_low = (-0.5, 0.40, -0.15)
    placed_body = "faucetBase"
    handle_site: ClassVar[str]
    direction: ClassVar[float]
    aim_in_handle: ClassVar[Vector3] = (0.0, 0.0, 0.0)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        turned = constant((self.direction * _HANDLE_LENGTH_M, 0.0, 0.125), vectors)
        write(worlds.start.obj_init_pos, mask, vectors)
        write(worlds.start.target_pos, mask, vectors + turned)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos(self.handle_site)
        handle = handle + constant((0.0, 0.0, -0.01), handle)
        return torch.cat((handle, worlds.body_quat("faucetBase")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        handle = state[:, 4:7] + constant(self.aim_in_handle, state)
        handle_to_target = (handle - start.target_pos).norm(dim=1)
        # The margins count from the faucet's foot, not from its handle, as in the original.
        foot = start.obj_init_pos
        in_place = nearness(
            handle_to_target,
            _RADIUS_M,
            margin=((foot - start.target_pos).norm(dim=1) - _RADIUS_M).abs(),
        )
        reach = nearness(
            (handle - worlds.tcp).norm(dim=1),
            _HANDLE_RADIUS_M,
            margin=((foot - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
            sigmoid="gaussian",
        )
        is_turned = handle_to_target <= _RADIUS_M
        return Outcome(torch.where(is_turned, 10.0, 2 * (2 * reach + 3 * in_place)), is_turned)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        beside = state[:, 4:7] + constant((-0.04 * self.direction, 0.0, 0.03), state)
        is_off = (hand[:, :2] - beside[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - beside[:, 2]).abs() > 0.04
        desired = choose(
            (is_off, beside + constant((0.0, 0.0, 0.1), beside)),
            (is_high, beside),
            otherwise=beside + constant((0.1 * self.direction, 0.05, 0.0), beside),
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
