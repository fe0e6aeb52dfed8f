"""lever-pull: pull a lever up (metaworld 3.0.0, `sawyer_lever_pull_v3.py`)."""

from __future__ import annotations

import math

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, choose, move
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_LEVER_IN_BASE = (0.12, -0.2, 0.25)
_UPRIGHT_IN_BASE = (0.12, 0.0, 0.45)
_SHOULDER_IN_HAND = (0.0, 0.055, 0.07)


class LeverPull(Task):
    """Turn the level lever until it points upwards.

    Reset vector: base xyz. Success: lever within 7.5 degrees of upright.
    """

    name = "lever-pull"
    instruction = "pull the lever up"
    model_file = "sawyer_xyz/sawyer_lever_pull.xml"
    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    hand_low = (-0.5, 0.40, -0.15)
    goal_low = (-0.5, 0.40, -0.15)
    reset_low = (-0.1, 0.7, 0.0)
    reset_high = (0.1, 0.8, 0.0)
    settles_with_draw = True
    placed_body = "lever"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, vectors + constant(_LEVER_IN_BASE, vectors))
        write(worlds.start.target_pos, mask, vectors + constant(_UPRIGHT_IN_BASE, vectors))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("objGeom"))
        return torch.cat((worlds.site_pos("leverStart"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, target = worlds.start, worlds.start.target_pos
        hand, lever = state[:, :3], state[:, 4:7]
        # The shoulder of the hand, not the fingers, shall be under the lever; first of all in x, z.
        shoulder = constant(_SHOULDER_IN_HAND, lever)
        scale = constant((4.0, 1.0, 4.0), lever)
        is_ready = nearness(
            ((hand + shoulder - lever) * scale).norm(dim=1),
            0.02,
            margin=((start.init_tcp + shoulder - start.obj_init_pos) * scale).norm(dim=1),
        )
        in_place = nearness(
            (lever - target).norm(dim=1), 0.04, margin=(start.obj_init_pos - target).norm(dim=1)
        )
        angle_error = (-worlds.joint("LeverAxis") - math.pi / 2.0).abs()
        return Outcome(10.0 * hamacher_product(is_ready, in_place), angle_error <= math.pi / 24.0)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        lever = state[:, 4:7] + constant((0.0, -0.055, 0.0), state)
        is_off = (hand[:, :2] - lever[:, :2]).norm(dim=1) > 0.02
        is_low = (hand[:, 2] - lever[:, 2]).abs() > 0.02
        desired = choose(
            (is_off, lever + constant((0.0, 0.0, -0.1), lever)),
            (is_low, lever),
            otherwise=lever + constant((0.0, 0.08, 0.02), lever),
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
