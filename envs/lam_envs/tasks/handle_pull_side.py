"""handle-pull-side: pull a handle up (metaworld 3.0.0, `sawyer_handle_pull_side_v3.py`)."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.handle import HandleTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

_RADIUS_M = 0.05


class HandlePullSide(HandleTask):
    """Pull the red handle at the box's side up.

    Reset vector: box xyz. Success: handle within 8 cm of its pulled position.

    Class attributes:
        obj_radius: Radius of the handle, metres.
        pad_success_thresh: Distance of pad and handle that counts as caged, metres.
        success_radius: Distance of handle and goal that counts as success, metres.
    """

    name = "handle-pull-side"
    instruction = "pull the handle at the side up"
    model_file = "sawyer_xyz/sawyer_handle_press_sideways.xml"
    reset_low = (-0.35, 0.65, 0.0)
    reset_high = (-0.25, 0.75, 0.0)
    handle_site = "handleCenter"
    goal_site = "goalPull"
    handle_start_m = -0.1
    obj_radius: ClassVar[float] = 0.032
    pad_success_thresh: ClassVar[float] = 0.06
    success_radius: ClassVar[float] = 0.08

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        opening, handle = state[:, 3], state[:, 4:7]
        distance = self.distance(handle - start.target_pos)
        in_place = nearness(
            distance, _RADIUS_M, margin=self.distance(start.obj_init_pos - start.target_pos)
        )
        grasped = caging(
            worlds,
            actions,
            handle,
            obj_radius=self.obj_radius,
            pad_success_thresh=self.pad_success_thresh,
            xz_thresh=0.01,
        )
        reward = hamacher_product(grasped, in_place)
        is_held = ((handle - worlds.tcp).norm(dim=1) < 0.035) & (opening > 0)
        is_pulling = is_held & self.is_pulled(handle, start.obj_init_pos)
        reward = torch.where(is_pulling, reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(distance < _RADIUS_M, 10.0, reward)
        return Outcome(reward, distance <= self.success_radius)

    def distance(self, offset: torch.Tensor) -> torch.Tensor:
        """Return the distance from the goal that an offset, shape (N, 3), counts as, (N,)."""
        distance: torch.Tensor = offset.norm(dim=1)
        return distance

    def is_pulled(self, handle: torch.Tensor, handle_init: torch.Tensor) -> torch.Tensor:
        """Say whether the handle is above its start, shape (N,), bool."""
        return handle[:, 2] - 0.01 > handle_init[:, 2]

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, handle = state[:, :3], state[:, 4:7]
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.04
        height = (hand[:, 2] - handle[:, 2]).abs()
        desired = choose(
            (is_off, handle + constant((0.0, 0.0, 0.1), handle)),
            (height > 0.03, handle),
            otherwise=handle + constant((0.0, 0.0, 1.0), handle),
        )
        effort = torch.where(is_off | (height > 0.04), 0.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
