"""basketball: put a ball into a hoop (metaworld 3.0.0, `sawyer_basketball_v3.py`)."""

from __future__ import annotations

import numpy as np
import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.grasp import caging, is_lifted
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_BALL_HEIGHT_M = float(np.float32(0.03))
_RADIUS_M = 0.08
_ABOVE_HOOP_M = 0.3


class Basketball(PuckTask):
    """Grasp the ball and hold it above the hoop.

    Reset vector: ball xyz (its height is replaced by 3 cm), foot of the hoop's pole xyz. Success:
    ball within 8 cm of a point 5 cm above the hoop; the distance along z counts twice.
    """

    name = "basketball"
    instruction = "put the ball into the hoop"
    model_file = "sawyer_xyz/sawyer_basketball.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.1, 0.6, 0.0299, -0.1, 0.85, 0.0)
    reset_high = (0.1, 0.7, 0.0301, 0.1, 0.9 + 1e-7, 0.0)
    goal_low = (-0.1, 0.85 - 0.083, 0.2499)
    goal_high = (0.1, 0.9 + 1e-7 - 0.083, 0.2501)
    shows_goal = False
    goal_is_seen = True  # It is the middle of the hoop.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("basket_goal", mask, vectors[:, 3:])

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], _BALL_HEIGHT_M))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)
        write(worlds.start.target_pos, mask, worlds.site_pos("goal"))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return worlds.body_pose("bsktball")

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        ball = state[:, 4:7]
        target = at_height(start.target_pos, _ABOVE_HOOP_M)
        scale = constant((1.0, 1.0, 2.0), ball)
        ball_to_target = ((ball - target) * scale).norm(dim=1)
        margin = ((start.obj_init_pos - target) * scale).norm(dim=1)
        in_place = nearness(ball_to_target, _RADIUS_M, margin=margin)
        grasped = caging(
            worlds, actions, ball, obj_radius=0.025, pad_success_thresh=0.06, xz_thresh=0.005
        )
        is_held = is_lifted(worlds, state, reach_m=0.035)
        reward = hamacher_product(torch.where(is_held, 1.0, grasped), in_place)
        reward = torch.where(is_held, reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(ball_to_target < _RADIUS_M, 10.0, reward)
        return Outcome(reward, ball_to_target <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, ball = state[:, :3], state[:, 4:7]
        grip = ball + constant((0.0, 0.0, 0.01), ball)
        hoop = constant((0.0, 0.875, 0.35), ball).repeat(len(ball), 1)
        hoop[:, 0] = state[:, -3]
        is_off = (hand[:, :2] - ball[:, :2]).norm(dim=1) > 0.04
        desired = choose(
            (is_off, grip + constant((0.0, 0.0, 0.3), grip)),
            ((hand[:, 2] - grip[:, 2]).abs() > 0.025, grip),
            ((grip[:, 2] - hoop[:, 2]).abs() > 0.025, at_height(hand, hoop[:, 2])),
            otherwise=hoop,
        )
        is_far = is_off | ((hand[:, 2] - ball[:, 2]).abs() > 0.15)
        effort = torch.where(is_far, -1.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
