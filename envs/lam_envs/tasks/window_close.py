"""window-close: push a sliding window shut (metaworld 3.0.0, `sawyer_window_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, choose, move
from lam_envs.tasks.rewards import hamacher_product, tolerance
from lam_envs.tasks.sawyer import SawyerWorlds

_RADIUS_M = 0.05
_HANDLE_RADIUS_M = 0.02
_OPENING_M = 0.2


class WindowClose(Task):
    """Push the window's handle to the left until it is shut.

    Reset vector: window xyz. Success: handle within 5 cm of its shut position along x.
    """

    name = "window-close"
    instruction = "close the window"
    model_file = "sawyer_xyz/sawyer_window_horizontal.xml"
    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    reset_low = (0.0, 0.75, 0.2)
    reset_high = (0.0, 0.9, 0.2)

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("window", mask, vectors)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.start.target_pos[mask] = vectors[mask]
        # The handle's start is where the still shut window has it, moved by the opening.
        handle = worlds.site_pos("handleCloseStart")[mask]
        worlds.start.obj_init_pos[mask] = handle + handle.new_tensor((_OPENING_M, 0.0, 0.0))
        worlds.set_joint("window_slide", mask, _OPENING_M)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos("handleCloseStart")
        return torch.cat((handle, handle.new_zeros(len(handle), 4)), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp = worlds.start, worlds.tcp
        handle = worlds.site_pos("handleCloseStart")
        distance = (handle[:, 0] - start.target_pos[:, 0]).abs()
        distance_init = (start.obj_init_pos[:, 0] - start.target_pos[:, 0]).abs()
        in_place = tolerance(
            distance,
            lower=0.0,
            upper=_RADIUS_M,
            margin=(distance_init - _RADIUS_M).abs(),
            sigmoid="long_tail",
        )
        reach = tolerance(
            (handle - tcp).norm(dim=1),
            lower=0.0,
            upper=_HANDLE_RADIUS_M,
            margin=((start.obj_init_pos - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
            sigmoid="gaussian",
        )
        return Outcome(10 * hamacher_product(reach, in_place), distance <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + state.new_tensor((0.03, -0.03, -0.08))
        above = handle + state.new_tensor((0.0, 0.0, 0.25))
        beyond = handle + state.new_tensor((-0.1, 0.0, 0.0))
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.02
        desired = choose((is_off, above), (is_high, handle), otherwise=beyond)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
