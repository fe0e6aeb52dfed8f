"""handle-press-side: press a handle down (metaworld 3.0.0, `sawyer_handle_press_side_v3.py`)."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Vector3, choose, move
from lam_envs.tasks.handle import HandleTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.02
_HANDLE_RADIUS_M = 0.02


class HandlePressSide(HandleTask):
    """Press the red handle at the box's side all the way down.

    Reset vector: box xyz. Success: handle within 2 cm of its pressed height.

    Class attributes:
        expert_aim: Where the scripted expert presses, seen from the handle.
        expert_effort: Its gripper effort.
    """

    name = "handle-press-side"
    instruction = "press the handle down"
    model_file = "sawyer_xyz/sawyer_handle_press_sideways.xml"
    reset_low = (-0.35, 0.65, -0.001)
    reset_high = (-0.25, 0.75, 0.001)
    handle_site = "handleStart"
    goal_site = "goalPress"
    handle_start_m = -0.001
    expert_aim: ClassVar[Vector3] = (0.0, 0.0, 0.0)
    expert_effort: ClassVar[float] = 1.0

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, handle = worlds.start, state[:, 4:7]
        height = (handle[:, 2] - start.target_pos[:, 2]).abs()
        height_init = (start.obj_init_pos[:, 2] - start.target_pos[:, 2]).abs()
        pressed = nearness(height, _RADIUS_M, margin=(height_init - _RADIUS_M).abs())
        reach = nearness(
            (handle - worlds.tcp).norm(dim=1),
            _HANDLE_RADIUS_M,
            margin=((start.obj_init_pos - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
        )
        is_pressed = height <= _RADIUS_M
        reward = torch.where(is_pressed, 1.0, hamacher_product(reach, pressed))
        return Outcome(10 * reward, is_pressed)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        aim = state[:, 4:7] + constant(self.expert_aim, state)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.02
        above = aim + constant((0.0, 0.0, 0.2), aim)
        below = aim + constant((0.0, 0.0, -0.5), aim)
        displacement = move(hand, choose((is_off, above), otherwise=below), 25.0)
        effort = torch.full_like(state[:, :1], self.expert_effort)
        return torch.cat((displacement, effort), 1)
