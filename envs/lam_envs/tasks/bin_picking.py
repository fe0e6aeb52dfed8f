"""bin-picking: carry a cube to the other bin (metaworld 3.0.0, `sawyer_bin_picking_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, at_height, choose, move
from lam_envs.tasks.funnel import above_floor, funnel_height
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_RADIUS_M = 0.05
_GOAL_BIN = (0.12, 0.7, 0.02)


class BinPicking(Task):
    """Grasp the cube in the left bin and put it into the right one.

    Reset vector: cube xyz (its height is replaced by the settled cube's), and a goal xyz without a
    meaning. Success: cube within 5 cm of the right bin's middle.
    """

    name = "bin-picking"
    instruction = "move the cube into the other bin"
    model_file = "sawyer_xyz/sawyer_bin_picking.xml"
    hand_low = (-0.5, 0.40, 0.07)
    reset_low = (-0.21, 0.65, 0.02, 0.1199, 0.699, -0.001)
    reset_high = (-0.03, 0.75, 0.02, 0.1201, 0.701, 0.001)
    goal_low = (0.1199, 0.699, -0.001)
    goal_high = (0.1201, 0.701, 0.001)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        height = worlds.body_pos("obj")[:, 2]
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], height))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)
        write(worlds.start.target_pos, mask, worlds.body_pos("bin_goal"))
        # Until the first step, see `evaluate`.
        write(worlds.start.second_init_pos, mask, torch.nan)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return worlds.body_pose("obj")

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        hand, opening, cube = state[:, :3], state[:, 3], state[:, 4:7]
        # The margin counts from where the cube is after the first step, as in the original.
        is_first = start.second_init_pos[:, 0].isnan()
        write(start.second_init_pos, is_first, cube)
        cube_to_target = (cube - start.target_pos).norm(dim=1)
        margin = (start.second_init_pos - start.target_pos).norm(dim=1)
        in_place = nearness(cube_to_target, _RADIUS_M, margin=margin)
        # A funnel over the cube's start, and one over the other bin.
        floors = [
            funnel_height((hand[:, :2] - axis[:, :2]).norm(dim=1), throat=0.03, slope=0.02, rim=0.2)
            for axis in (start.obj_init_pos, start.target_pos)
        ]
        is_above = above_floor(hand[:, 2], torch.minimum(*floors), margin=0.05)
        grasped = caging(
            worlds,
            actions,
            cube,
            obj_radius=0.015,
            pad_success_thresh=0.05,
            xz_thresh=0.01,
            desired_gripper_effort=0.7,
        )
        is_lifted = (
            ((cube - hand).norm(dim=1) < 0.04)
            & (opening >= 0.43)
            & (cube[:, 2] - 0.02 > start.obj_init_pos[:, 2])
        )
        reward = hamacher_product(grasped, in_place)
        carried = hamacher_product(is_above, in_place)
        reward = torch.where(is_lifted, reward + 1.0 + 5.0 * carried, reward)
        reward = torch.where(cube_to_target < _RADIUS_M, 10.0, reward)
        return Outcome(reward, cube_to_target <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant((0.0, 0.0, 0.03), state)
        # Away from the bin's edges, where the fingers would not fit; closing, they drag the cube.
        grip[:, 1] = grip[:, 1].clamp(0.675, 0.725)
        goal = constant(_GOAL_BIN, state).expand_as(hand)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - grip[:, 2]).abs()
        is_aside = (hand[:, :2] - goal[:, :2]).norm(dim=1) > 0.02
        desired = choose(
            (is_off, grip + constant((0.0, 0.0, 0.15), grip)),
            (height > 0.01, grip),
            (is_aside & (hand[:, 2] < 0.15), hand + constant((0.0, 0.0, 0.1), hand)),
            (is_aside, at_height(goal, 0.18)),
            otherwise=goal,
        )
        effort = torch.where(is_off | (height > 0.02), -1.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
