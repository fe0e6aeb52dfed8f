"""hammer: drive a nail into a block with a hammer (metaworld 3.0.0, `sawyer_hammer_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.grasp import along_handle, caging
from lam_envs.tasks.rewards import likeness, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_HEAD_IN_HAMMER = (0.16, 0.06, 0.0)
_HALF_HANDLE_M = 0.14 / 2.0
_DRIVEN_M = 0.09


class Hammer(Task):
    """Grasp the hammer and drive the nail into the upright block.

    Reset vector: hammer xyz. Success: nail driven in by more than 9 cm.
    """

    name = "hammer"
    instruction = "hammer the nail into the block"
    model_file = "sawyer_xyz/sawyer_hammer.xml"
    hand_init_pos = (0.0, 0.4, 0.2)
    reset_low = (-0.1, 0.4, 0.0)
    reset_high = (0.1, 0.5, 0.0)
    goal_low = (0.2399, 0.7399, 0.109)
    goal_high = (0.2401, 0.7401, 0.111)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, worlds.site_pos("goal"))
        write(worlds.start.obj_init_pos, mask, vectors)
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((worlds.body_pose("hammer"), worlds.body_pose("nail_link")), 1)

    def tracked_positions(self, state: torch.Tensor) -> torch.Tensor:
        """Return the positions of hammer and nail, shape (N, 6), metres."""
        return torch.cat((state[:, 4:7], state[:, 11:14]), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        hand, hammer, quat = state[:, :3], state[:, 4:7], state[:, 7:11]
        head = hammer + constant(_HEAD_IN_HAMMER, hammer)
        grasped = caging(
            worlds,
            actions,
            along_handle(hammer, hand, _HALF_HANDLE_M),
            obj_radius=0.015,
            pad_success_thresh=0.02,
            xz_thresh=0.01,
        )
        upright = likeness(quat, (1.0, 0.0, 0.0, 0.0), margin=0.4)
        in_place = nearness((worlds.start.target_pos - head).norm(dim=1), 0.02, margin=0.2)
        is_lifted = (head[:, 2] > 0.02).to(head.dtype)
        in_place = 0.1 * is_lifted + 0.9 * in_place
        reward = (2.0 * grasped + 6.0 * in_place) * upright
        is_driven = worlds.joint("NailSlideJoint") > _DRIVEN_M
        return Outcome(torch.where(is_driven & (reward > 5.0), 10.0, reward), is_driven)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant((-0.04, 0.0, -0.01), state)
        goal = constant((0.24 - 0.19, 0.71, 0.11 + 0.05), state).expand_as(hand)
        before = torch.stack((goal[:, 0], hand[:, 1], goal[:, 2]), 1)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.04
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose(
            (is_off, grip + constant((0.0, 0.0, 0.1), grip)),
            ((height > 0.05) & (grip[:, 2] < 0.03), grip + constant((0.0, 0.0, 0.03), grip)),
            ((hand[:, 0::2] - goal[:, 0::2]).norm(dim=1) > 0.02, before),
            otherwise=goal,
        )
        effort = torch.where(is_off | (height > 0.1), 0.0, 0.8).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
