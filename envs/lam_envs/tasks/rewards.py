"""Reward shaping that Meta-World's tasks share, batched in torch.

Source: metaworld 3.0.0, `utils/reward_utils.py` (from dm_control) and
`SawyerXYZEnv._gripper_caging_reward`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from lam_envs.tensors import constant

Sigmoid = Literal["gaussian", "long_tail"]
Density = Literal["low", "medium", "high"]

_VALUE_AT_MARGIN = 0.1


def tolerance(
    x: torch.Tensor,
    *,
    lower: float,
    upper: float,
    margin: torch.Tensor | float,
    sigmoid: Sigmoid,
) -> torch.Tensor:
    """Return 1 inside the bounds, falling to 0.1 at `margin` outside of them.

    Args:
        x: Values, shape (N,).
        lower: Lower bound, inclusive.
        upper: Upper bound, inclusive.
        margin: Distance from the nearer bound at which the value is 0.1, a number or shape (N,).
            Where it is 0, the value outside of the bounds is 0.
        sigmoid: How the value falls.

    Returns:
        Values in [0, 1], shape (N,).
    """
    if not isinstance(margin, torch.Tensor):
        margin = x.new_full((), margin)
    inside = (x >= lower) & (x <= upper)
    distance = torch.where(x < lower, lower - x, x - upper) / margin
    if sigmoid == "gaussian":
        scale = math.sqrt(-2 * math.log(_VALUE_AT_MARGIN))
        outside = torch.exp(-0.5 * (distance * scale) ** 2)
    else:
        scale = math.sqrt(1 / _VALUE_AT_MARGIN - 1)
        outside = 1 / ((distance * scale) ** 2 + 1)
    return outside.masked_fill(margin == 0, 0.0).masked_fill(inside, 1.0)


def nearness(
    distance: torch.Tensor,
    radius: float,
    *,
    margin: torch.Tensor | float,
    sigmoid: Sigmoid = "long_tail",
) -> torch.Tensor:
    """Return 1 within a radius, falling to 0.1 at `margin` beyond it, shape (N,).

    Args:
        distance: Distances, shape (N,).
        radius: Distance up to which the value is 1.
        margin: See `tolerance`.
        sigmoid: How the value falls.
    """
    return tolerance(distance, lower=0.0, upper=radius, margin=margin, sigmoid=sigmoid)


def hamacher_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return a * b / (a + b - a * b), 0 where the denominator is not positive; shape (N,)."""
    product = a * b
    denominator = a + b - product
    return (product / denominator).masked_fill(denominator <= 0, 0.0)


def likeness(
    quat: torch.Tensor, ideal: tuple[float, float, float, float], *, margin: float
) -> torch.Tensor:
    """Return how like quaternions are to an ideal one, shape (N,): 1, and 0 from the margin on.

    Args:
        quat: Quaternions, shape (N, 4).
        ideal: The one that counts as 1. Its negative does not, as in the original.
        margin: Euclidean distance of the four numbers.
    """
    distance: torch.Tensor = (quat - constant(ideal, quat)).norm(dim=1)
    return (1.0 - distance / margin).clamp(0.0)


def rect_prism_tolerance(
    point: torch.Tensor, zero: torch.Tensor, one: torch.Tensor
) -> torch.Tensor:
    """Return 1 outside of a box; inside, the product of the ways along its edges, shape (N,).

    Args:
        point: Points, shape (N, 3).
        zero: Corner of the box where the value is 0, shape (N, 3).
        one: The opposite corner, where it is 1, shape (N, 3).
    """
    is_inside = (point >= torch.minimum(zero, one)) & (point <= torch.maximum(zero, one))
    product = ((point - zero) / (one - zero)).prod(1)
    return torch.where(is_inside.all(1), product, torch.ones_like(product))


def xz_caging(
    *,
    obj_pos: torch.Tensor,
    obj_init_pos: torch.Tensor,
    tcp: torch.Tensor,
    init_tcp: torch.Tensor,
    xz_thresh: float,
) -> torch.Tensor:
    """Return how near the gripper is to the object in x and z, shape (N,), in [0, 1].

    The arguments are those of `gripper_caging`.
    """
    xz = slice(0, 3, 2)
    return nearness(
        (tcp[:, xz] - obj_pos[:, xz]).norm(dim=1),
        xz_thresh,
        margin=(obj_init_pos[:, xz] - init_tcp[:, xz]).norm(dim=1) - xz_thresh,
    )


def between_pads(
    *,
    obj_pos: torch.Tensor,
    left_pad: torch.Tensor,
    right_pad: torch.Tensor,
    lower: float,
    upper: float,
    pad_success_thresh: float,
) -> torch.Tensor:
    """Return how well the object is between the pads, shape (N,), in [0, 1].

    It serves the tasks with a caging reward of their own, such as pick-place. Each pad must be on
    its side of the object. The original's margin counts from the pads' start, which is their
    present position, since it keeps live views of it.

    Args:
        obj_pos: Object position, shape (N, 3), metres.
        left_pad: Position of the left finger pad, shape (N, 3).
        right_pad: Position of the right finger pad, shape (N, 3).
        lower: Least distance of pad and object along y, metres.
        upper: Largest distance of pad and object along y, metres.
        pad_success_thresh: Distance along y from which the margin counts, metres.
    """
    obj_y = obj_pos[:, 1]
    distance = torch.stack((left_pad[:, 1] - obj_y, obj_y - right_pad[:, 1]), 1)  # (N, 2)
    margin = (distance.abs() - pad_success_thresh).abs()
    caging = tolerance(distance, lower=lower, upper=upper, margin=margin, sigmoid="long_tail")
    return hamacher_product(caging[:, 0], caging[:, 1])


def gripper_caging(
    *,
    gripper_action: torch.Tensor,
    obj_pos: torch.Tensor,
    obj_init_pos: torch.Tensor,
    left_pad: torch.Tensor,
    right_pad: torch.Tensor,
    tcp: torch.Tensor,
    init_tcp: torch.Tensor,
    obj_radius: float,
    pad_success_thresh: float,
    xz_thresh: float,
    object_reach_radius: float = 0.0,
    desired_gripper_effort: float = 1.0,
    density: Density = "low",
) -> torch.Tensor:
    """Return Meta-World's reward for caging and gripping an object, shape (N,), in [0, 1].

    Args:
        gripper_action: Fourth action, shape (N,).
        obj_pos: Object position, shape (N, 3), metres.
        obj_init_pos: Object position at the start of the episode, shape (N, 3).
        left_pad: Position of the left finger pad, shape (N, 3).
        right_pad: Position of the right finger pad, shape (N, 3).
        tcp: Point between the finger tips, shape (N, 3).
        init_tcp: The same at the start of the episode, shape (N, 3).
        obj_radius: Radius of the object's bounding sphere, metres.
        pad_success_thresh: Pad distance along y that counts as caged, metres.
        xz_thresh: Distance in x and z that counts as caged, metres.
        object_reach_radius: Distance that counts as reached (density medium only), metres.
        desired_gripper_effort: Effort that counts as closed.
        density: Which extra terms are averaged in: none, the reach term, or the caging term.
    """
    pads_y = torch.stack((left_pad[:, 1], right_pad[:, 1]), 1)  # (N, 2)
    pad_to_obj = (pads_y - obj_pos[:, 1:2]).abs()
    pad_to_obj_init = (pads_y - obj_init_pos[:, 1:2]).abs()
    margin = (pad_to_obj_init - pad_success_thresh).abs()
    caging_lr = tolerance(
        pad_to_obj, lower=obj_radius, upper=pad_success_thresh, margin=margin, sigmoid="long_tail"
    )
    caging_y = hamacher_product(caging_lr[:, 0], caging_lr[:, 1])

    caging_xz = xz_caging(
        obj_pos=obj_pos, obj_init_pos=obj_init_pos, tcp=tcp, init_tcp=init_tcp, xz_thresh=xz_thresh
    )
    caging = hamacher_product(caging_y, caging_xz)
    closed = (
        gripper_action.to(caging.dtype).clamp(0, desired_gripper_effort) / desired_gripper_effort
    )
    gripping = torch.where(caging > 0.97, closed, torch.zeros_like(closed))
    reward = hamacher_product(caging, gripping)
    if density == "high":
        return (reward + caging) / 2
    if density == "medium":
        reach_margin = ((obj_init_pos - init_tcp).norm(dim=1) - object_reach_radius).abs()
        reach = nearness((obj_pos - tcp).norm(dim=1), object_reach_radius, margin=reach_margin)
        return (reward + reach) / 2
    return reward
