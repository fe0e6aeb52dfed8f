"""push-back: bring a block towards the arm (metaworld 3.0.0, `sawyer_push_back_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.grasp import pinching
from lam_envs.tasks.push import Push
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_GOAL_RADIUS_M = 0.05


class PushBack(Push):
    """Bring the block back to the green marker.

    Reset vector: block xyz, goal xyz (both heights are replaced by the settled block's).
    Success: block within 7 cm of the goal.
    """

    name = "push-back"
    instruction = "push the block back to the green marker"
    model_file = "sawyer_xyz/sawyer_push_back_v3.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.1, 0.8, 0.02, -0.1, 0.6, 0.0199)
    reset_high = (0.1, 0.85, 0.02, 0.1, 0.7, 0.0201)
    goal_low = (-0.1, 0.6, 0.0199)
    goal_high = (0.1, 0.7, 0.0201)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        opening, block = state[:, 3], state[:, 4:7]
        block_to_target = (block - start.target_pos).norm(dim=1)
        block_to_target_init = (start.obj_init_pos - start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, block_to_target, _GOAL_RADIUS_M)
        grasped = pinching(worlds, block, obj_radius=0.007, grip_margin=0.003, xz_thresh=0.01)
        reward = hamacher_product(grasped, in_place)
        is_held = ((block - worlds.tcp).norm(dim=1) < 0.01) & (opening > 0) & (opening < 0.55)
        is_moved = block_to_target_init - block_to_target > 0.01
        reward = torch.where(is_held & is_moved, reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(block_to_target < _GOAL_RADIUS_M, 10.0, reward)
        return Outcome(reward, block_to_target <= 0.07)

    def teacher(self, state: torch.Tensor) -> torch.Tensor:
        """Grasp as the expert does, but higher up, and pull only when the fingers have closed.

        The expert loses the block in half of its episodes.
        """
        hand, block, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        is_off = (hand[:, :2] - block[:, :2]).norm(dim=1) > 0.04
        height = (hand[:, 2] - block[:, 2]).abs()
        grip = block + constant((0.0, 0.0, 0.03), block)
        desired = choose(
            (is_off, block + constant((0.0, 0.0, 0.3), block)),
            ((height > 0.055) | (state[:, 3] > 0.6), grip),
            otherwise=at_height(goal, hand[:, 2]),
        )
        effort = torch.where(is_off | (height > 0.06), -1.0, 0.9).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, block, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        above = block + constant((0.0, 0.0, 0.3), block)
        level = at_height(goal, goal[:, 2] + hand[:, 2])
        is_off = (hand[:, :2] - block[:, :2]).norm(dim=1) > 0.04
        height = (hand[:, 2] - block[:, 2]).abs()
        desired = choose((is_off, above), (height > 0.055, block), otherwise=level)
        effort = torch.where(is_off | (height > 0.05), 0.0, 0.9).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
