"""push-wall: push the puck around a wall (metaworld 3.0.0, `sawyer_push_wall_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.push import Push
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.05
_MIDPOINT_XY = (-0.05, 0.77)
"""Beside the wall's end: the way to the goal leads over it."""


class PushWall(Push):
    """Push the red puck around the wall to the green marker.

    Reset vector: puck xyz, goal xyz (both heights are replaced by the settled puck's).
    Success: puck within 7 cm of the goal.
    """

    name = "push-wall"
    instruction = "push the puck around the wall to the green marker"
    model_file = "sawyer_xyz/sawyer_push_wall_v3.xml"
    reset_low = (-0.05, 0.6, 0.015, -0.05, 0.85, 0.01)
    reset_high = (0.05, 0.65, 0.015, 0.05, 0.9, 0.02)
    goal_low = (-0.05, 0.85, 0.01)
    goal_high = (0.05, 0.9, 0.02)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        opening, puck = state[:, 3], state[:, 4:7]
        tcp_to_puck = (puck - worlds.tcp).norm(dim=1)
        puck_to_target = (puck - start.target_pos).norm(dim=1)
        midpoint = torch.cat((constant(_MIDPOINT_XY, puck).expand(len(puck), 2), puck[:, 2:]), 1)
        scale = constant((3.0, 1.0, 1.0), puck)
        beside_wall = nearness(
            ((puck - midpoint) * scale).norm(dim=1),
            _RADIUS_M,
            margin=((start.obj_init_pos - midpoint) * scale).norm(dim=1),
        )
        in_place = self.closeness(worlds, puck_to_target, _RADIUS_M)
        grasped = caging(
            worlds, actions, puck, obj_radius=0.015, pad_success_thresh=0.05, xz_thresh=0.005
        )
        is_held = (tcp_to_puck < 0.02) & (opening > 0)
        is_past_wall = puck[:, 1] > 0.75
        reward = choose(
            (puck_to_target < _RADIUS_M, torch.full_like(grasped, 10.0)),
            (is_held & is_past_wall, 2 * grasped + 1.0 + 4.0 + 3.0 * in_place),
            (is_held, 2 * grasped + 1.0 + 4.0 * beside_wall),
            otherwise=2 * grasped,
        )
        return Outcome(reward, puck_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, puck, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        x, y = puck[:, 0] - 0.005, puck[:, 1]
        is_before_wall = (x >= -0.1) & (x <= 0.3) & (y >= 0.65) & (y <= 0.75)
        is_at_its_end = ((x > -0.15) & (x < 0.05)) | ((x > 0.15) & (x < 0.35))
        is_beside_wall = is_at_its_end & (y >= 0.695) & (y <= 0.755)
        way = choose(
            (is_before_wall, hand + constant((-1.0, 0.0, 0.0), hand)),
            (is_beside_wall, hand + constant((0.0, 1.0, 0.0), hand)),
            otherwise=goal,
        )
        # Push's own expert, which goes by this way to the goal.
        return super().expert(torch.cat((state[:, :-3], way), 1))
