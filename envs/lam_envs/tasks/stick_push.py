"""stick-push: push a thermos with a stick (metaworld 3.0.0, `sawyer_stick_push_v3.py`)."""

from __future__ import annotations

from pathlib import Path

import torch

from lam_envs.tasks.base import Outcome, at_height, choose
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.stick import STICK_HEIGHT_M, StickTask
from lam_envs.tensors import constant, write

_RADIUS_M = 0.12


class StickPush(StickTask):
    """Grasp the blue stick and push the thermos with it.

    Reset vector: stick xyz (its height is replaced by 2 cm), goal xyz (its height is replaced by
    that of the thermos's handle). Success: thermos within 12 cm of the goal, and both pads touch
    the stick, lifted by 1 cm or more.
    """

    name = "stick-push"
    instruction = "push the thermos to the green marker with the stick"
    model_file = str(Path(__file__).with_name("stick_push.xml"))
    reset_low = (-0.08, 0.58, 0.0, 0.399, 0.55, 0.1319)
    reset_high = (-0.03, 0.62, 0.001, 0.401, 0.6, 0.1321)
    goal_low = (0.399, 0.55, 0.1319)
    goal_high = (0.401, 0.6, 0.1321)
    min_goal_distance_m = 0.1
    thermos_y_m = 0.0
    handle_shift_y_m = 0.09
    grip_in_stick = (0.015, 0.0, 0.03)
    aim_in_handle = (0.0, 0.0, 0.0)
    end_in_goal = (0.0, 0.0, 0.132)
    gain = 10.0

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        start = worlds.start
        write(start.obj_init_pos, mask, at_height(vectors[:, :3], STICK_HEIGHT_M))
        handle_height = worlds.site_pos("insertion")[:, 2]
        write(start.target_pos, mask, at_height(vectors[:, 3:], handle_height))
        self.place_stick_and_thermos(worlds, mask, start.obj_init_pos)
        write(start.second_init_pos, mask, worlds.body_pos("object"))

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, target = worlds.start, worlds.start.target_pos
        opening, stick, thermos = state[:, 3], state[:, 4:7], state[:, 11:14]
        grip = stick + constant((0.015, 0.0, 0.0), stick)
        stick_in_place = _near(grip - target, start.obj_init_pos - target)
        thermos_in_place = _near(thermos - target, start.second_init_pos - target)
        grasped = caging(
            worlds, actions, grip, obj_radius=0.04, pad_success_thresh=0.05, xz_thresh=0.01
        )
        is_lifted = (opening > 0) & (stick[:, 2] - 0.01 > start.obj_init_pos[:, 2])
        is_held = is_lifted & ((grip - worlds.tcp).norm(dim=1) < 0.02)
        is_there = (thermos - target).norm(dim=1) <= _RADIUS_M
        reward = choose(
            (is_held & is_there, torch.full_like(grasped, 10.0)),
            (is_held, 2.0 + 5.0 * stick_in_place + 3.0 * thermos_in_place),
            otherwise=grasped,
        )
        return Outcome(reward, is_lifted & is_there & _is_touched(worlds))


def _near(offset: torch.Tensor, offset_init: torch.Tensor) -> torch.Tensor:
    """Return 1 within the goal's radius, 0.1 as far from it as at the start, shape (N,)."""
    return nearness(offset.norm(dim=1), _RADIUS_M, margin=offset_init.norm(dim=1) - _RADIUS_M)


def _is_touched(worlds: SawyerWorlds) -> torch.Tensor:
    """Say whether both finger pads press on the stick, shape (N,), bool."""
    left, right = (worlds.sensor(f"{side}_touch") for side in ("left", "right"))
    return (left != 0.0).any(1) & (right != 0.0).any(1)
