"""Worlds whose physics broke: who is told, and how they are left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import torch

from lam_envs.errors import InvalidSettingError, UnstableSimulationError

OnUnstable = Literal["raise", "drop"]
"""Raise an error, or drop the episode of the world and go on with the others."""


def check_on_unstable(value: str) -> None:
    """Refuse what is neither `raise` nor `drop`.

    Raises:
        InvalidSettingError: Naming the setting.
    """
    if value not in get_args(OnUnstable):
        raise InvalidSettingError(f"on_unstable is {value!r}; it must be raise or drop.")


def unstable_error(
    task: str, reasons: Mapping[int, str], steps: torch.Tensor
) -> UnstableSimulationError:
    """Return the error that names the first of the broken worlds.

    Args:
        task: Name of the task.
        reasons: World -> what happened, at least one.
        steps: Control step of each world's episode, from 1 on; 0 is the reset, (num_envs,).
    """
    world = min(reasons)
    others = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return UnstableSimulationError(
        f"world {world}{others} of {task} became unstable in control step {int(steps[world])} of "
        f"its episode ({reasons[world]}); reset that world, or leave such episodes out with "
        "on_unstable='drop' (--sim.on-unstable drop)."
    )


def where_not_finite(*fields: torch.Tensor) -> list[int]:
    """Return the worlds in which a field holds NaN or infinity.

    Args:
        fields: Fields of all worlds, shape (num_worlds, …).
    """
    if all(math.isfinite(float(field.sum())) for field in fields):  # NaN and infinity stay in sums.
        return []
    is_finite = torch.stack([field.isfinite().flatten(1).all(1) for field in fields]).all(0)
    return (~is_finite).nonzero()[:, 0].tolist()
