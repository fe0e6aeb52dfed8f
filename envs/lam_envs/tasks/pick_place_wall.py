"""pick-place-wall: carry the puck over a wall (metaworld 3.0.0, `sawyer_pick_place_wall_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.grasp import caging, is_lifted
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.05
_MIDPOINT_Y_M = 0.77
_MIDPOINT_Z_M = 0.25
"""Over the wall, at the goal's x: the way to the goal leads over it."""


class PickPlaceWall(PuckTask):
    """Grasp the red puck and carry it over the wall to the green marker.

    Reset vector: puck xyz, goal xyz. Success: puck within 7 cm of the goal.
    """

    name = "pick-place-wall"
    instruction = "pick up the puck and carry it over the wall to the green marker"
    model_file = "sawyer_xyz/sawyer_pick_place_wall_v3.xml"
    reset_low = (-0.05, 0.6, 0.015, -0.05, 0.85, 0.05)
    reset_high = (0.05, 0.65, 0.015, 0.05, 0.9, 0.3)
    goal_low = (-0.05, 0.85, 0.05)
    goal_high = (0.05, 0.9, 0.3)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, puck = worlds.start, state[:, 4:7]
        puck_to_target = (puck - start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, puck_to_target, _RADIUS_M)
        over_wall = _over_wall(puck, start.obj_init_pos, start.target_pos)
        grasped = caging(
            worlds,
            actions,
            puck,
            obj_radius=0.015,
            pad_success_thresh=0.05,
            xz_thresh=0.005,
            density="low",
        )
        holding = hamacher_product(grasped, over_wall)
        is_held = is_lifted(worlds, state, reach_m=0.02, rise_m=0.015)
        is_past_wall = puck[:, 1] > 0.75
        reward = choose(
            (puck_to_target < _RADIUS_M, torch.full_like(holding, 10.0)),
            (is_held & is_past_wall, holding + 1.0 + 4.0 + 3.0 * in_place),
            (is_held, holding + 1.0 + 4.0 * over_wall),
            otherwise=holding,
        )
        return Outcome(reward, puck_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, puck, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        x, y, z = hand.unbind(1)
        aim = puck + constant((-0.005, 0.0, 0.0), puck)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.015
        is_high = ((z - aim[:, 2]).abs() > 0.04) & (aim[:, 2] < 0.03)
        is_before_wall = (x >= -0.15) & (x <= 0.35) & (y >= 0.60) & (y <= 0.80)
        desired = choose(
            (is_off, aim + constant((0.0, 0.0, 0.1), aim)),
            (is_high, aim + constant((0.0, 0.0, 0.03), aim)),
            (is_before_wall & (z < 0.25), hand + constant((0.0, 0.0, 1.0), hand)),
            (is_before_wall & (z < 0.35), at_height(goal, z)),
            ((z - goal[:, 2]).abs() > 0.01, at_height(hand, goal[:, 2])),
            otherwise=goal,
        )
        is_far = ((hand[:, :2] - puck[:, :2]).norm(dim=1) > 0.015) | ((z - puck[:, 2]).abs() > 0.1)
        effort = torch.where(is_far, 0.0, 0.9).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)


def _over_wall(puck: torch.Tensor, puck_init: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how near the puck is to the point over the wall, shape (N,), in [0, 1]."""
    midpoint = target.clone()
    midpoint[:, 1], midpoint[:, 2] = _MIDPOINT_Y_M, _MIDPOINT_Z_M
    scale = constant((1.0, 1.0, 3.0), puck)
    return nearness(
        ((puck - midpoint) * scale).norm(dim=1),
        _RADIUS_M,
        margin=((puck_init - midpoint) * scale).norm(dim=1),
    )
