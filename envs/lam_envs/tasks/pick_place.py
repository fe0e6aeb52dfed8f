"""pick-place: carry the puck to a goal in the air (metaworld 3.0.0, `sawyer_pick_place_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.grasp import is_lifted
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import between_pads, hamacher_product, xz_caging
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_GOAL_RADIUS_M = 0.05
_PUCK_RADIUS_M = 0.015
_PAD_DISTANCE_M = 0.05


class PickPlace(PuckTask):
    """Grasp the red puck and carry it to the green marker.

    Reset vector: puck xyz, goal xyz. Success: puck within 7 cm of the goal.
    """

    name = "pick-place"
    instruction = "pick up the puck and hold it at the green marker"
    model_file = "sawyer_xyz/sawyer_pick_place_v3.xml"
    reset_low = (-0.1, 0.6, 0.02, -0.1, 0.8, 0.05)
    reset_high = (0.1, 0.7, 0.02, 0.1, 0.9, 0.3)
    goal_low = (-0.1, 0.8, 0.05)
    goal_high = (0.1, 0.9, 0.3)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        puck = state[:, 4:7]
        puck_to_target = (puck - worlds.start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, puck_to_target, _GOAL_RADIUS_M)
        reward = hamacher_product(_grasped(worlds, puck, actions), in_place)
        holding = is_lifted(worlds, state, reach_m=0.02)
        reward = torch.where(holding, reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(puck_to_target < _GOAL_RADIUS_M, 10.0, reward)
        return Outcome(reward, puck_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, puck, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        aim = puck + constant((-0.005, 0.0, 0.0), puck)
        above = aim + constant((0.0, 0.0, 0.1), puck)
        grip = aim + constant((0.0, 0.0, 0.03), puck)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.02
        is_high = ((hand[:, 2] - aim[:, 2]).abs() > 0.05) & (aim[:, 2] < 0.04)
        is_open = state[:, 3] > 0.73
        desired = choose((is_off, above), (is_high, grip), (is_open, hand), otherwise=goal)
        is_near = (hand - puck).norm(dim=1) < 0.07
        return torch.cat((move(hand, desired, 10.0), is_near.to(state.dtype)[:, None]), 1)


def _grasped(worlds: SawyerWorlds, puck: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return the task's own reward for caging and gripping the puck, shape (N,)."""
    start = worlds.start
    caging_y = between_pads(
        obj_pos=puck,
        left_pad=worlds.body_pos("leftpad"),
        right_pad=worlds.body_pos("rightpad"),
        lower=_PUCK_RADIUS_M,
        upper=_PAD_DISTANCE_M,
        pad_success_thresh=_PAD_DISTANCE_M,
    )
    caging_xz = xz_caging(
        obj_pos=puck,
        obj_init_pos=start.obj_init_pos,
        tcp=worlds.tcp,
        init_tcp=start.init_tcp,
        xz_thresh=0.005,
    )
    caging = hamacher_product(caging_y, caging_xz)
    closed = actions[:, 3].to(caging.dtype).clamp(0, 1)
    gripping = torch.where(caging > 0.97, closed, torch.zeros_like(closed))
    return (hamacher_product(caging, gripping) + caging) / 2
