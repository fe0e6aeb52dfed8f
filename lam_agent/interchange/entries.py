"""Entries of other people's datasets: arrays by name, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lam_agent.errors import EpisodeError
from lam_envs.scene import CAMERAS
from lam_envs.words import nearest

Array = npt.NDArray[Any]

Value = TypeVar("Value")


def entry(entries: Mapping[str, Value], name: str, kind: str, option: str) -> Value:
    """Return an entry by name.

    Args:
        entries: The entries.
        name: Name of the one that is wanted.
        kind: What they are, such as `observations`, for the error.
        option: The option that names it, for the error.

    Raises:
        EpisodeError: It is not there; the nearest one is named.
    """
    if name not in entries:
        raise EpisodeError(
            f"the {kind} have no entry {name!r}{nearest(name, entries)}; they have "
            f"{', '.join(entries) or 'none'}; name another by {option}."
        )
    return entries[name]


def is_any_true(values: Array, name: str) -> bool:
    """Say whether one of an entry's values is true, as the success of an episode is told.

    Raises:
        EpisodeError: They are no truth values.
    """
    if values.dtype.kind not in "biuf":
        raise EpisodeError(
            f"the {name} has type {values.dtype}; it must hold truth values; "
            "name another by --success-key."
        )
    if np.isnan(values).any():
        raise EpisodeError(f"the {name} holds NaN; it must hold truth values; remove them.")
    return bool((np.asarray(values) > 0).any())


def check_camera_keys(cameras: Iterable[str]) -> None:
    """Refuse a mapping of cameras that leaves one of them out or has others.

    Raises:
        EpisodeError: Naming the cameras.
    """
    if set(cameras) != set(CAMERAS):
        raise EpisodeError(
            f"camera-keys names {', '.join(cameras) or 'no camera'}; it must name "
            f"{' and '.join(CAMERAS)}, as in {','.join(f'{name}=KEY' for name in CAMERAS)}."
        )
