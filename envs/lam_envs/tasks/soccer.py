"""soccer: push a ball into a goal (metaworld 3.0.0, `sawyer_soccer_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.grasp import pinching
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.rotations import quat_wxyz_to_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_RADIUS_M = 0.07
_BALL_HEIGHT_M = 0.03


class Soccer(PuckTask):
    """Push the ball into the goal.

    Reset vector: ball xyz (its height is replaced by 3 cm), goal xyz. Success: ball within 7 cm of
    the goal's foot.
    """

    name = "soccer"
    instruction = "push the ball into the goal"
    model_file = "sawyer_xyz/sawyer_soccer.xml"
    reset_low = (-0.1, 0.6, 0.03, -0.1, 0.8, 0.0)
    reset_high = (0.1, 0.7, 0.03, 0.1, 0.9, 0.0)
    goal_low = (-0.1, 0.8, 0.0)
    goal_high = (0.1, 0.9, 0.0)
    shows_goal = False
    goal_is_seen = True  # It stands there.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("goal_whole", mask, vectors[:, 3:])

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], _BALL_HEIGHT_M))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = quat_wxyz_to_xyzw(worlds.body_quat("soccer_ball"))
        return torch.cat((worlds.body_pos("soccer_ball"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        ball, target = state[:, 4:7], worlds.start.target_pos
        scale = constant((3.0, 1.0, 1.0), ball)
        scaled_distance = ((ball - target) * scale).norm(dim=1)
        # The margin counts from the ball, not from the goal, as in the original.
        margin = ((ball - worlds.start.obj_init_pos) * scale).norm(dim=1)
        in_place = nearness(scaled_distance, _RADIUS_M, margin=margin)
        # A ball beside the goal is worth less, the further it is.
        goal_line = target[:, 1] - 0.1
        is_beside = (ball[:, 1] > goal_line) & ((ball[:, 0] - target[:, 0]).abs() > 0.10)
        beyond = (ball[:, 1] - goal_line) / (1 - goal_line)
        in_place = torch.where(is_beside, (in_place - 2 * beyond).clamp(0.0, 1.0), in_place)
        grasped = pinching(worlds, ball, obj_radius=0.013, grip_margin=0.01, xz_thresh=0.005)
        reward = 3 * grasped + 6.5 * in_place
        reward = torch.where(scaled_distance < _RADIUS_M, 10.0, reward)
        return Outcome(reward, (ball - target).norm(dim=1) <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, goal = state[:, :3], state[:, -3:]
        ball = state[:, 4:7] + constant((0.0, 0.0, 0.03), state)
        aside = ball[:, 0] - goal[:, 0]
        behind = choose(
            (aside < -0.05, ball + constant((-0.03, 0.0, 0.0), ball)),
            (aside > 0.05, ball + constant((0.03, 0.0, 0.0), ball)),
            otherwise=ball + constant((0.0, -0.03, 0.0), ball),
        )
        is_over_ball = (hand[:, :2] - ball[:, :2]).norm(dim=1) < 0.02
        behind[:, 2] = constant((0.03, 0.1), state)[is_over_ball.long()]
        is_off = (hand - behind).norm(dim=1) > 0.01
        desired = choose((is_off, behind), otherwise=ball)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
