"""How well the gripper holds a task's object: `gripper_caging` with the poses of its worlds."""

from __future__ import annotations

import torch

from lam_envs.tasks.rewards import Density, gripper_caging
from lam_envs.tasks.sawyer import SawyerWorlds


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
