"""stick-pull: pull a thermos with a stick (metaworld 3.0.0, `sawyer_stick_pull_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.rewards import hamacher_product, tolerance
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds

_RADIUS_M = 0.05
_STICK_HEIGHT_M = 0.02
_THERMOS_Y_M = 0.09


class StickPull(Task):
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
    shows_goal = True

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        height = vectors.new_full((int(mask.sum()), 1), _STICK_HEIGHT_M)
        worlds.start.target_pos[mask] = torch.cat((vectors[mask, 3:5], height), 1)
        worlds.start.second_init_pos[mask] = torch.cat((vectors[mask, :2], height), 1)
        worlds.start.obj_init_pos[mask] = worlds.body_pos("object")[mask]
        worlds.set_joint("obj_slidex", mask, 0.0)
        worlds.set_joint("obj_slidey", mask, _THERMOS_Y_M)
        # The original stops this joint only: settling has pushed the thermos, and it glides along
        # x at 0.6 m/s until the end of its range.
        worlds.stop_joint("obj_slidey", mask)
        worlds.set_object_pos(mask, worlds.start.second_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("objGeom"))
        handle = worlds.site_pos("insertion")
        zeros = handle.new_zeros(len(handle), 4)
        return torch.cat((worlds.body_pos("stick"), quat, handle, zeros), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, target = worlds.start, worlds.start.target_pos
        opening, stick, handle = state[:, 3], state[:, 4:7], state[:, 11:14]
        stick_init, thermos_init = start.second_init_pos, start.obj_init_pos
        in_thermos = handle.new_tensor((0.05, 0.0, 0.0))
        scale = handle.new_tensor((1.0, 1.0, 2.0))
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

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + state.new_tensor((-0.015, 0.0, 0.03))
        handle = state[:, 11:14] + state.new_tensor((-0.015, 0.0, 0.03))
        goal = state[:, -3:] + state.new_tensor((-0.05, 0.0, 0.0))
        to_handle = (grip - handle).abs()
        offset = (hand[:, :2] - grip[:, :2]).norm(dim=1)
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose(
            (to_handle[:, 0] <= 0.04, goal),
            (offset > 0.02, grip + grip.new_tensor((0.0, 0.0, 0.1))),
            (height > 0.02, grip),
            (to_handle[:, 1] > 0.02, torch.stack((grip[:, 0], handle[:, 1], grip[:, 2]), 1)),
            (to_handle[:, 2] > 0.02, torch.cat((grip[:, :1], handle[:, 1:]), 1)),
            otherwise=handle,
        )
        effort = torch.where((offset > 0.02) | (height > 0.1), -1.0, 0.7).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)


def _near(offset: torch.Tensor, offset_init: torch.Tensor) -> torch.Tensor:
    """Return 1 within the goal's radius, 0.1 as far from it as at the start, shape (N,)."""
    return tolerance(
        offset.norm(dim=1),
        lower=0.0,
        upper=_RADIUS_M,
        margin=offset_init.norm(dim=1),
        sigmoid="long_tail",
    )


def _is_inserted(stick_end: torch.Tensor, handle: torch.Tensor) -> torch.Tensor:
    """Say whether the stick's end is in the thermos's handle, shape (N,), bool."""
    distance = (stick_end - handle).abs()
    is_through = stick_end[:, 0] >= handle[:, 0]
    return is_through & (distance[:, 1] <= 0.040) & (distance[:, 2] <= 0.060)
