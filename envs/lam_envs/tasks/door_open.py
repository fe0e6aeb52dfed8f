"""door-open: pull a safe's door open by its handle (metaworld 3.0.0, `sawyer_door_v3.py`)."""

from __future__ import annotations

import math

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.door import DoorTask
from lam_envs.tasks.funnel import above_floor, funnel_height
from lam_envs.tasks.rewards import hamacher_product, nearness, tolerance
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_FUNNEL_RADIUS_M = 0.12


class DoorOpen(DoorTask):
    """Pull the door of the safe open.

    Reset vector: safe xyz. Success: handle within 8 cm of its open position along x.
    """

    name = "door-open"
    instruction = "open the door"
    goal_low = (-0.3, 0.4, 0.1499)
    goal_high = (-0.2, 0.5, 0.1501)
    goal_in_safe = (-0.3, -0.45, 0.0)
    start_angle_rad = 0.0

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        effort = (actions[:, 3].to(state.dtype).clamp(-1, 1) + 1.0) / 2.0
        reward = 2.0 * hamacher_product(_readiness(state), effort)
        reward = reward + 8.0 * _opening(worlds.joint("doorjoint"))
        is_success = (state[:, 4] - worlds.start.target_pos[:, 0]).abs() <= 0.08
        return Outcome(torch.where(is_success, 10.0, reward), is_success)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + constant((-0.05, 0.0, 0.0), state)
        above = handle + constant((0.06, 0.02, 0.2), state)
        front = handle + constant((0.06, 0.02, 0.0), state)
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.12
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.04
        desired = choose((is_off, above), (is_high, front), otherwise=handle)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)


def _readiness(state: torch.Tensor) -> torch.Tensor:
    """Return how near the hand is to its place between handle and door, shape (N,).

    Outside of the handle's neighbourhood the hand must stay above a floor, a funnel around the
    handle, so that it does not run into the handle from the side.
    """
    hand = state[:, :3]
    handle = state[:, 4:7] + constant((-0.05, 0.0, 0.0), state)
    radius = (hand[:, :2] - handle[:, :2]).norm(dim=1)
    floor = funnel_height(radius, throat=_FUNNEL_RADIUS_M, slope=0.04, rim=0.4)
    is_above = above_floor(hand[:, 2], floor, margin=floor / 2.0)
    beside = handle + constant((0.05, 0.03, -0.01), state)
    in_place = nearness((hand - beside).norm(dim=1), _FUNNEL_RADIUS_M / 2.0, margin=0.5)
    return hamacher_product(is_above, in_place)


def _opening(angle: torch.Tensor) -> torch.Tensor:
    """Return how far the door is open, shape (N,), for its joint's angle in radians."""
    has_moved = (angle < -math.pi / 90.0).to(angle.dtype)
    to_open = math.pi / 2.0 + math.pi / 6 + angle
    opened = tolerance(to_open, lower=0.0, upper=0.5, margin=math.pi / 3.0, sigmoid="long_tail")
    return 0.2 * has_moved + 0.8 * opened
