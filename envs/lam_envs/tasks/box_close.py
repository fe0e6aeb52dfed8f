"""box-close: put the lid on a box (metaworld 3.0.0, `sawyer_box_close_v3.py`)."""

from __future__ import annotations

import numpy as np
import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, at_height, choose, move
from lam_envs.tasks.funnel import above_floor, funnel_height
from lam_envs.tasks.rewards import hamacher_product, likeness, nearness
from lam_envs.tasks.sawyer import NUM_SUBSTEPS, SawyerWorlds
from lam_envs.tensors import constant, write

_LID_HEIGHT_M = float(np.float32(0.02))
_HANDLE_IN_LID = (0.0, 0.0, 0.02)
_FLAT = (0.707, 0.0, 0.0, 0.707)


class BoxClose(Task):
    """Grasp the lid by its handle and put it on the box.

    Reset vector: lid xyz (its height is replaced by 2 cm), goal xyz above the box. Success: lid
    within 8 cm of the goal.
    """

    name = "box-close"
    instruction = "close the box with the lid"
    model_file = "sawyer_xyz/sawyer_box.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.05, 0.5, 0.02, -0.1, 0.7, 0.133)
    reset_high = (0.05, 0.55, 0.02, 0.1, 0.8, 0.133)
    goal_low = (-0.1, 0.7, 0.133)
    goal_high = (0.1, 0.8, 0.133)
    min_goal_distance_m = 0.25
    goal_is_seen = True  # It is the top of the box.
    settles_with_draw = True  # The lid falls on the box while the hand settles.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("boxbody", mask, at_height(vectors[:, 3:], 0.0))

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], _LID_HEIGHT_M))
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        # The original lets the box settle once more, where it has been already.
        worlds.sim.step(mask, num_substeps=NUM_SUBSTEPS, refresh=False)
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return worlds.body_pose("top_link")

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        hand, lid, target = state[:, :3], state[:, 4:7], worlds.start.target_pos
        handle = lid + constant(_HANDLE_IN_LID, lid)
        effort = (actions[:, 3].to(state.dtype).clamp(-1, 1) + 1.0) / 2.0
        scale = constant((1.0, 1.0, 3.0), lid)
        placed = nearness(((target - handle) * scale).norm(dim=1), 0.05, margin=0.25)
        placed = 0.2 * (handle[:, 2] > 0.04).to(placed.dtype) + 0.8 * placed
        reward = 2.0 * hamacher_product(effort, _readiness(hand, handle)) + 8.0 * placed
        is_success = (lid - target).norm(dim=1) < 0.08
        reward = torch.where(is_success, 10.0, reward)
        return Outcome(reward * likeness(state[:, 7:11], _FLAT, margin=0.2), is_success)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant(_HANDLE_IN_LID, state)
        box = at_height(state[:, -3:], 0.15)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.01
        height = (hand[:, 2] - grip[:, 2]).abs()
        is_low = (hand[:, 2] - box[:, 2]).abs() > 0.04
        desired = choose(
            (is_off, at_height(grip, 0.2)),
            (height > 0.05, grip),
            (is_low, at_height(hand, box[:, 2])),
            otherwise=box,
        )
        effort = torch.where(is_off | (height > 0.13), 0.5, 1.0).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)


def _readiness(hand: torch.Tensor, handle: torch.Tensor) -> torch.Tensor:
    """Return how near the hand is to the lid's handle, coming from above, shape (N,)."""
    radius = (hand[:, :2] - handle[:, :2]).norm(dim=1)
    floor = funnel_height(radius, throat=0.02, slope=0.04, rim=0.4)
    is_above = above_floor(hand[:, 2], floor, margin=floor / 2.0)
    return hamacher_product(is_above, nearness((hand - handle).norm(dim=1), 0.02, margin=0.5))
