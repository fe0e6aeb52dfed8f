"""stick-pull: pull a thermos with a stick (metaworld 3.0.0, `sawyer_stick_pull_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.stick import STICK_HEIGHT_M, StickTask
from lam_envs.tensors import constant, write

_RADIUS_M = 0.05


class StickPull(StickTask):
    """Grasp the blue stick, put it through the thermos's handle and pull the thermos.

    Reset vector: stick xyz, goal xyz (both heights are replaced by 2 cm). Success: the stick
    is in the handle, and the handle within 12 cm of the goal.
    """

    name = "stick-pull"
    instruction = "pull the thermos to the green marker with the stick"
    model_file = "sawyer_xyz/sawyer_stick_obj.xml"
    hand_low = (-0.5, 0.35, 0.05)
    reset_low = (-0.1, 0.55, 0.0, 0.35, 0.45, 0.0199)
    reset_high = (0.0, 0.65, 0.001, 0.45, 0.55, 0.0201)
    goal_low = (0.35, 0.45, 0.0199)
    goal_high = (0.45, 0.55, 0.0201)
    thermos_y_m = 0.09
    handle_shift_y_m = 0.0
    grip_in_stick = (-0.015, 0.0, 0.03)
    aim_in_handle = (-0.015, 0.0, 0.03)
    end_in_goal = (-0.05, 0.0, 0.0)
    gain = 25.0

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, at_height(vectors[:, 3:], STICK_HEIGHT_M))
        write(worlds.start.second_init_pos, mask, at_height(vectors[:, :3], STICK_HEIGHT_M))
        write(worlds.start.obj_init_pos, mask, worlds.body_pos("object"))
        self.place_stick_and_thermos(worlds, mask, worlds.start.second_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, target = worlds.start, worlds.start.target_pos
        opening, stick, handle = state[:, 3], state[:, 4:7], state[:, 11:14]
        stick_init, thermos_init = start.second_init_pos, start.obj_init_pos
        in_thermos = constant((0.05, 0.0, 0.0), handle)
        scale = constant((1.0, 1.0, 2.0), handle)
        stick_at_thermos = _near(
            (stick - (handle + in_thermos)) * scale,
            (stick_init - (thermos_init + in_thermos)) * scale,
        )
        stick_at_target = _near(stick - target, stick_init - target)
        thermos_at_target = _near(handle + in_thermos - target, thermos_init - target)
        is_lifted = (
            ((stick - worlds.tcp).norm(dim=1) < 0.02)
            & (opening > 0)
            & (stick[:, 2] - 0.01 > stick_init[:, 2])
        )
        grasped = caging(
            worlds, actions, stick, obj_radius=0.014, pad_success_thresh=0.05, xz_thresh=0.01
        )
        grasped = torch.where(is_lifted, 1.0, grasped)
        holding = hamacher_product(grasped, stick_at_thermos)
        is_inserted = _is_inserted(worlds.site_pos("stick_end"), handle)
        is_pulled = (handle - target).norm(dim=1) <= 0.12
        reward = choose(
            (is_lifted & is_inserted & is_pulled, torch.full_like(holding, 10.0)),
            (is_lifted & is_inserted, 6.0 + holding + 2.0 * stick_at_target + thermos_at_target),
            (is_lifted, 1.0 + holding + 5.0 * stick_at_thermos),
            otherwise=holding,
        )
        return Outcome(reward, is_pulled & is_inserted)


def _near(offset: torch.Tensor, offset_init: torch.Tensor) -> torch.Tensor:
    """Return 1 within the goal's radius, 0.1 as far from it as at the start, shape (N,)."""
    return nearness(offset.norm(dim=1), _RADIUS_M, margin=offset_init.norm(dim=1))


def _is_inserted(stick_end: torch.Tensor, handle: torch.Tensor) -> torch.Tensor:
    """Say whether the stick's end is in the thermos's handle, shape (N,), bool."""
    distance = (stick_end - handle).abs()
    is_through = stick_end[:, 0] >= handle[:, 0]
    return is_through & (distance[:, 1] <= 0.040) & (distance[:, 2] <= 0.060)
