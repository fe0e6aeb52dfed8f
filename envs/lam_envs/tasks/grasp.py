"""How well the gripper holds a task's object: caging rewards with the poses of its worlds."""

from __future__ import annotations

import torch

from lam_envs.tasks.rewards import (
    Density,
    between_pads,
    gripper_caging,
    hamacher_product,
    xz_caging,
)
from lam_envs.tasks.sawyer import SawyerWorlds

_PAD_DISTANCE_M = 0.05


def caging(
    worlds: SawyerWorlds,
    actions: torch.Tensor,
    obj_pos: torch.Tensor,
    *,
    obj_radius: float,
    pad_success_thresh: float,
    xz_thresh: float,
    object_reach_radius: float = 0.0,
    desired_gripper_effort: float = 1.0,
    density: Density = "high",
) -> torch.Tensor:
    """Return the reward for caging and gripping the object at `obj_pos`, shape (N,), in [0, 1].

    Args:
        worlds: The worlds after the step, with their episodes' start.
        actions: Actions of the step, shape (N, 4).
        obj_pos: Object position, shape (N, 3), metres.
        obj_radius: See `gripper_caging`, as all that follow.
        pad_success_thresh: Pad distance along y that counts as caged, metres.
        xz_thresh: Distance in x and z that counts as caged, metres.
        object_reach_radius: Distance that counts as reached (density medium only), metres.
        desired_gripper_effort: Effort that counts as closed.
        density: Which extra terms are averaged in.
    """
    return gripper_caging(
        gripper_action=actions[:, 3],
        obj_pos=obj_pos,
        obj_init_pos=worlds.start.obj_init_pos,
        left_pad=worlds.body_pos("leftpad"),
        right_pad=worlds.body_pos("rightpad"),
        tcp=worlds.tcp,
        init_tcp=worlds.start.init_tcp,
        obj_radius=obj_radius,
        pad_success_thresh=pad_success_thresh,
        xz_thresh=xz_thresh,
        object_reach_radius=object_reach_radius,
        desired_gripper_effort=desired_gripper_effort,
        density=density,
    )


def pinching(
    worlds: SawyerWorlds,
    obj_pos: torch.Tensor,
    *,
    obj_radius: float,
    grip_margin: float,
    xz_thresh: float,
) -> torch.Tensor:
    """Return a reward for caging and gripping that looks at the pads only, not at the effort.

    Source: `_gripper_caging_reward` of push-back, soccer, sweep and sweep-into.

    Args:
        worlds: The worlds after the step, with their episodes' start.
        obj_pos: Object position, shape (N, 3), metres.
        obj_radius: Radius of the object's bounding sphere, metres.
        grip_margin: How far from the object's surface a pad still grips, metres.
        xz_thresh: Distance in x and z that counts as caged, metres.

    Returns:
        Values in [0, 1], shape (N,).
    """
    caging_y, gripping_y = (
        between_pads(
            obj_pos=obj_pos,
            left_pad=worlds.body_pos("leftpad"),
            right_pad=worlds.body_pos("rightpad"),
            lower=obj_radius,
            upper=upper,
            pad_success_thresh=_PAD_DISTANCE_M,
        )
        for upper in (_PAD_DISTANCE_M, obj_radius + grip_margin)
    )
    caging_xz = xz_caging(
        obj_pos=obj_pos,
        obj_init_pos=worlds.start.obj_init_pos,
        tcp=worlds.tcp,
        init_tcp=worlds.start.init_tcp,
        xz_thresh=xz_thresh,
    )
    caged = hamacher_product(caging_y, caging_xz)
    gripped = torch.where(caged > 0.95, gripping_y, torch.zeros_like(gripping_y))
    return (caged + gripped) / 2


def along_handle(obj_pos: torch.Tensor, hand: torch.Tensor, half_length: float) -> torch.Tensor:
    """Return the point of a handle along x that the hand holds, shape (N, 3).

    The caging reward knows spheres only: along its handle, the object is where the hand is.

    Args:
        obj_pos: Middle of the handle, shape (N, 3), metres.
        hand: Position of the hand, shape (N, 3), metres.
        half_length: Half of the handle's length, metres.
    """
    is_at_handle = (obj_pos[:, 0] - hand[:, 0]).abs() < half_length
    held_x = torch.where(is_at_handle, hand[:, 0], obj_pos[:, 0])
    return torch.cat((held_x[:, None], obj_pos[:, 1:]), 1)


def is_lifted(
    worlds: SawyerWorlds, state: torch.Tensor, *, reach_m: float, rise_m: float = 0.01
) -> torch.Tensor:
    """Say whether the gripper holds the object above its start, shape (N,), bool.

    Args:
        worlds: The worlds after the step, with their episodes' start.
        state: State after the step, shape (N, 39).
        reach_m: Distance to the tool centre point from which on it does not, metres.
        rise_m: How far above its start the object must be, metres.
    """
    obj = state[:, 4:7]
    is_near: torch.Tensor = (obj - worlds.tcp).norm(dim=1) < reach_m
    is_high = obj[:, 2] - rise_m > worlds.start.obj_init_pos[:, 2]
    return is_near & (state[:, 3] > 0) & is_high
