"""shelf-place: put a block on a shelf (metaworld 3.0.0, `sawyer_shelf_place_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.grasp import caging, is_lifted
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_RADIUS_M = 0.05
_GOAL_IN_SHELF = (0.0, 0.0, 0.3)
_BOARD_HEIGHT_M = 0.24


class ShelfPlace(PuckTask):
    """Grasp the blue block and put it on the shelf's upper board.

    Reset vector: block xyz (its height is replaced by the settled block's), goal xyz on the board.
    Success: block within 7 cm of the goal.
    """

    name = "shelf-place"
    instruction = "put the block on the shelf"
    model_file = "sawyer_xyz/sawyer_shelf_placing.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.1, 0.5, 0.019, -0.1, 0.8, 0.299)
    reset_high = (0.1, 0.6, 0.021, 0.1, 0.9, 0.301)
    goal_low = (-0.1, 0.8, 0.299)
    goal_high = (0.1, 0.9, 0.301)
    shows_goal = False
    goal_is_seen = True  # It is the middle of the shelf's board.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        shelf = vectors[:, 3:] - constant(_GOAL_IN_SHELF, vectors)
        worlds.set_body_pos("shelf", mask, shelf)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        height = worlds.body_pos("obj")[:, 2]
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], height))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, block = worlds.start, state[:, 4:7]
        block_to_target = (block - start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, block_to_target, _RADIUS_M)
        grasped = caging(
            worlds,
            actions,
            block,
            obj_radius=0.02,
            pad_success_thresh=0.05,
            xz_thresh=0.01,
            density="low",
        )
        reward = hamacher_product(grasped, in_place)
        is_held = is_lifted(worlds, state, reach_m=0.025)
        placed = _unless_below(block, start.target_pos, in_place)
        reward = torch.where(is_held, reward + 1.0 + 5.0 * placed, reward)
        reward = torch.where(block_to_target < _RADIUS_M, 10.0, reward)
        return Outcome(reward, block_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, block, shelf_x = state[:, :3], state[:, 4:7], state[:, -3]
        grip = block + constant((-0.005, 0.0, 0.015), block)
        before = torch.stack((shelf_x, hand[:, 1], torch.full_like(shelf_x, 0.3)), 1)
        desired = choose(
            (
                (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.04,
                grip + constant((0.0, 0.0, 0.3), grip),
            ),
            ((hand[:, 2] - grip[:, 2]).abs() > 0.04, grip),
            ((hand[:, 0] - shelf_x).abs() > 0.02, before),
            (hand[:, 2] < 0.30, hand + constant((0.0, 0.0, 0.30), hand)),
            otherwise=hand + constant((0.0, 0.05, 0.0), hand),
        )
        is_far = ((hand[:, :2] - block[:, :2]).norm(dim=1) > 0.04) | (
            (hand[:, 2] - block[:, 2]).abs() > 0.15
        )
        effort = torch.where(is_far, -1.0, 0.7).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)


def _unless_below(
    block: torch.Tensor, target: torch.Tensor, in_place: torch.Tensor
) -> torch.Tensor:
    """Return `in_place`, less where the block is before the board and below it, shape (N,).

    It falls to 0 towards the board's front edge and below it, where lifting meets the board.
    """
    front_y = target[:, 1] - 3 * _RADIUS_M
    along_y = (block[:, 1] - front_y) / (3 * _RADIUS_M)
    under_z = (_BOARD_HEIGHT_M - block[:, 2]) / _BOARD_HEIGHT_M
    is_low = (block[:, 2] > 0.0) & (block[:, 2] < _BOARD_HEIGHT_M)
    is_low = is_low & ((block[:, 0] - target[:, 0]).abs() < 0.15)
    is_before = (block[:, 1] > front_y) & (block[:, 1] < target[:, 1])
    is_behind = block[:, 1] > target[:, 1]
    return choose(
        (is_low & is_behind, torch.zeros_like(in_place)),
        (is_low & is_before, (in_place - hamacher_product(along_y, under_z)).clamp(0.0, 1.0)),
        otherwise=in_place,
    )
