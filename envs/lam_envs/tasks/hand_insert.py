"""hand-insert: put a block into a hole (metaworld 3.0.0, `sawyer_hand_insert_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.05


class HandInsert(PuckTask):
    """Grasp the block and put it into the table's hole.

    Reset vector: block xyz, goal xyz in the hole. Success: block within 5 cm of the goal.
    """

    name = "hand-insert"
    instruction = "put the block into the hole in the table"
    model_file = "sawyer_xyz/sawyer_table_with_hole.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    hand_low = (-0.5, 0.40, -0.15)
    reset_low = (-0.1, 0.6, 0.05, -0.04, 0.8, -0.0201)
    reset_high = (0.1, 0.7, 0.05, 0.04, 0.88, -0.0199)
    goal_low = (-0.04, 0.8, -0.0201)
    goal_high = (0.04, 0.88, -0.0199)
    shows_goal = False  # The hole shows it within 6 cm, and its edge would hide a marker.

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((worlds.body_pos("obj"), worlds.body_quat("obj")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        opening, block = state[:, 3], state[:, 4:7]
        block_to_target = (block - worlds.start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, block_to_target, _RADIUS_M)
        grasped = caging(
            worlds, actions, block, obj_radius=0.015, pad_success_thresh=0.05, xz_thresh=0.005
        )
        reward = hamacher_product(grasped, in_place)
        is_held = ((block - worlds.tcp).norm(dim=1) < 0.02) & (opening > 0)
        reward = torch.where(is_held, reward + 1.0 + 7.0 * in_place, reward)
        reward = torch.where(block_to_target < _RADIUS_M, 10.0, reward)
        return Outcome(reward, block_to_target <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, block, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        is_off = (hand[:, :2] - block[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - block[:, 2]).abs()
        is_aside = (hand[:, :2] - goal[:, :2]).norm(dim=1) > 0.04
        desired = choose(
            (is_off, block + constant((0.0, 0.0, 0.1), block)),
            (height > 0.05, block + constant((0.0, 0.0, 0.03), block)),
            (is_aside, at_height(goal, hand[:, 2])),
            otherwise=goal,
        )
        effort = torch.where(is_off | (height > 0.1), 0.0, 0.65).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
