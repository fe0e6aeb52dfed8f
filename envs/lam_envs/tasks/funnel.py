"""Floors in the shape of a funnel, under which the hand would run into an object's side."""

from __future__ import annotations

import torch

from lam_envs.tasks.rewards import tolerance


def funnel_height(
    radius: torch.Tensor, *, throat: torch.Tensor | float, slope: float, rim: float
) -> torch.Tensor:
    """Return the height of a funnel's floor, 0 within its throat, shape (N,), metres.

    Args:
        radius: Distance from the funnel's axis, shape (N,), metres.
        throat: Radius within which there is no floor, metres, a number or shape (N,).
        slope: Factor of the logarithm of the distance from the throat, metres.
        rim: Height one metre from the throat, metres.
    """
    is_outside = radius > throat
    height = slope * torch.where(is_outside, radius - throat, 1.0).log() + rim
    return torch.where(is_outside, height, torch.zeros_like(height))


def above_floor(
    height: torch.Tensor, floor: torch.Tensor, *, margin: torch.Tensor | float
) -> torch.Tensor:
    """Return 1 for a hand above the floor, less below it, shape (N,).

    Args:
        height: Height of the hand, shape (N,), metres.
        floor: Height of the floor, shape (N,), metres.
        margin: How far below the value is 0.1, metres, a number or shape (N,).
    """
    below = floor - height
    value = tolerance(below, lower=0.0, upper=0.01, margin=margin, sigmoid="long_tail")
    return torch.where(below <= 0.0, torch.ones_like(value), value)
