"""faucet-close: turn a faucet's handle shut (metaworld 3.0.0, `sawyer_faucet_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.rewards import tolerance
from lam_envs.tasks.sawyer import SawyerWorlds

_CLOSED_IN_FAUCET = (-0.175, 0.0, 0.125)
_RADIUS_M = 0.07
_HANDLE_RADIUS_M = 0.01


class FaucetClose(Task):
    """Turn the faucet's red handle by a quarter, to the left.

    Reset vector: faucet xyz. Success: handle's end within 7 cm of its closed position.
    """

    name = "faucet-close"
    instruction = "close the faucet"
    model_file = "sawyer_xyz/sawyer_faucet.xml"
    hand_init_pos = (0.0, 0.4, 0.2)
    hand_low = (-0.5, 0.40, -0.15)
    goal_low = (-0.5, 0.40, -0.15)
    reset_low = (-0.1, 0.8, 0.0)
    reset_high = (0.1, 0.85, 0.0)

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("faucetBase", mask, vectors)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.start.obj_init_pos[mask] = vectors[mask]
        worlds.start.target_pos[mask] = vectors[mask] + vectors.new_tensor(_CLOSED_IN_FAUCET)
        worlds.sim.forward(mask)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos("handleStartClose")
        handle = handle + handle.new_tensor((0.0, 0.0, -0.01))
        return torch.cat((handle, worlds.body_quat("faucetBase")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, handle = worlds.start, state[:, 4:7]
        handle_to_target = (handle - start.target_pos).norm(dim=1)
        # The margins count from the faucet's foot, not from its handle, as in the original.
        foot = start.obj_init_pos
        in_place = tolerance(
            handle_to_target,
            lower=0.0,
            upper=_RADIUS_M,
            margin=((foot - start.target_pos).norm(dim=1) - _RADIUS_M).abs(),
            sigmoid="long_tail",
        )
        reach = tolerance(
            (handle - worlds.tcp).norm(dim=1),
            lower=0.0,
            upper=_HANDLE_RADIUS_M,
            margin=((foot - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
            sigmoid="gaussian",
        )
        is_closed = handle_to_target <= _RADIUS_M
        return Outcome(torch.where(is_closed, 10.0, 2 * (2 * reach + 3 * in_place)), is_closed)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + state.new_tensor((0.04, 0.0, 0.03))
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.04
        desired = choose(
            (is_off, handle + handle.new_tensor((0.0, 0.0, 0.1))),
            (is_high, handle),
            otherwise=handle + handle.new_tensor((-0.1, 0.05, 0.0)),
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
