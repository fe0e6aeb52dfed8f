"""door-close: push a safe's door shut (metaworld 3.0.0, `sawyer_door_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.door import DoorTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.05


class DoorClose(DoorTask):
    """Push the door of the safe, open by a quarter turn, shut.

    Reset vector: safe xyz. Success: handle within 8 cm of its shut position.
    """

    name = "door-close"
    instruction = "close the door"
    hand_init_pos = as_float32(-0.5, 0.6, 0.2)
    goal_low = (0.2, 0.65, 0.1499)
    goal_high = (0.3, 0.75, 0.1501)
    goal_in_safe = (0.2, -0.2, 0.0)
    start_angle_rad = -1.5708

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, handle = worlds.start, state[:, 4:7]
        handle_to_target = (handle - start.target_pos).norm(dim=1)
        in_place = nearness(
            handle_to_target,
            _RADIUS_M,
            margin=(start.obj_init_pos - start.target_pos).norm(dim=1),
            sigmoid="gaussian",
        )
        hand_init = constant(self.hand_init_pos, handle)
        hand_in_place = nearness(
            (worlds.tcp - start.target_pos).norm(dim=1),
            0.25 * _RADIUS_M,
            margin=(hand_init - handle).norm(dim=1) + 0.1,
            sigmoid="gaussian",
        )
        is_shut = handle_to_target < _RADIUS_M
        reward = torch.where(is_shut, 10.0, 3 * hand_in_place + 6 * in_place)
        return Outcome(reward, handle_to_target <= 0.08)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, goal = state[:, :3], state[:, -3:]
        handle = state[:, 4:7] + constant((0.05, 0.12, 0.1), state)
        outside = handle + constant((-0.02, 0.0, 0.0), handle)
        rise = at_height(hand, handle[:, 2] + 0.25)
        above = at_height(outside, hand[:, 2])
        is_inside = hand[:, 0] > handle[:, 0]
        is_low = hand[:, 2] < handle[:, 2] + 0.2
        is_off = (hand[:, 2] - handle[:, 2]).abs() > 0.04
        desired = choose(
            (is_inside & is_low, rise), (is_inside, above), (is_off, outside), otherwise=goal
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
