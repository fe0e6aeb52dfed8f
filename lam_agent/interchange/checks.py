"""Checks of the parts of a dataset in another format: shape, type, range and rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lam_agent.errors import EpisodeError
from lam_agent.interchange.entries import Array
from lam_envs.tasks.sawyer import ACTION_SIZE

_FARTHEST_M = 5.0
"""No hand of a table-top robot is farther from the world's origin."""


def check_control_dt(expected: float, said: Any, given: float | None) -> float:
    """Return the seconds of an action, of the dataset or else of the task.

    Args:
        expected: What they must be: those of the task.
        said: What the dataset says; None if it does not.
        given: What the user says; None if they do not.

    Raises:
        EpisodeError: Nobody says it, or it is another rate than the task's.
    """
    if said is None and given is None:
        raise EpisodeError(
            f"it does not say how long an action lasts; name it by --control-dt, in seconds "
            f"(the task's is {expected})."
        )
    for value in (said, given):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise EpisodeError(f"its control_dt is {value!r}; it must be a number of seconds.")
        if value is not None and not math.isclose(value, expected, rel_tol=1e-6):
            raise EpisodeError(
                f"an action lasts {value:.6g} s; it must last {expected} s; record at that rate."
            )
    return float(expected if said is None else said)


def check_look_every(chunk: int | None, said: Any, given: int | None) -> int:
    """Return the control steps between two looks.

    Args:
        chunk: Number of actions in each of the dataset's chunks; None where an action is a single
            one.
        said: What the dataset says; None if it does not.
        given: What the user says; None if they do not.

    Raises:
        EpisodeError: They contradict each other, or are no number of steps.
    """
    if given is not None and given < 1:
        raise EpisodeError(f"look-every is {given}; it must be at least 1.")
    if chunk is not None:
        if given not in (None, chunk):
            raise EpisodeError(
                f"it looks every {chunk} control steps, once for each chunk of actions, not "
                f"every {given}; leave --look-every away."
            )
        return chunk
    if given is None and said is not None and (type(said) is not int or said < 1):
        raise EpisodeError(f"its look_every is {said!r}; it must be a whole number, at least 1.")
    return given or said or 1


def check_actions(actions: Array, look_every: int, is_chunked: bool, counts: Array | None) -> Array:
    """Return an episode's actions, float32 (S, 4).

    Args:
        actions: The dataset's actions, shape (T, 4) or (T, look_every, 4).
        look_every: Length of a chunk.
        is_chunked: Whether an action is a chunk.
        counts: How many actions of each chunk were executed; None for all.
    """
    rest = (look_every, ACTION_SIZE) if is_chunked else (ACTION_SIZE,)
    if actions.shape[1:] != rest or len(actions) == 0:
        raise EpisodeError(
            f"the actions have shape {actions.shape}; they must have shape (steps, "
            f"{', '.join(map(str, rest))}) with one step or more."
        )
    actions = _to_float32(actions, "the array of actions").reshape(-1, ACTION_SIZE)
    if counts is not None:
        actions = actions[_is_executed(counts, len(actions) // look_every, look_every)]
    largest = float(np.abs(actions).max())
    if largest > 1:
        raise EpisodeError(
            f"it has an action of {largest:.4g}; actions must lie in [-1, 1], where 1 is 1 cm of "
            "displacement or the full effort of the fingers; scale them."
        )
    return actions


def _is_executed(counts: Array, chunks: int, look_every: int) -> Array:
    """Return which actions of an episode's chunks were executed, shape (chunks * look_every,)."""
    counts = counts[:chunks]
    is_whole = counts.shape == (chunks,) and bool((counts[:-1] == look_every).all())
    if not is_whole or counts[-1] != np.rint(counts[-1]) or not 1 <= counts[-1] <= look_every:
        raise EpisodeError(
            f"the entry 'num_actions' is {counts.tolist()}; it must be {look_every} for each "
            "chunk, but for the last one of an episode; correct it."
        )
    mask: Array = (np.arange(look_every) < counts[:, None]).reshape(-1)
    return mask


def check_images(images: Array, key: str, steps: int) -> Array:
    """Return pictures as they are: uint8 (T or T + 1, H, H, 3)."""
    is_square = images.ndim == 4 and is_square_rgb(images.shape[1:])
    if not is_square or len(images) not in (steps, steps + 1) or images.dtype != np.uint8:
        raise EpisodeError(
            f"the observation {key!r} has shape {images.shape} and type {images.dtype}; square RGB "
            f"pictures of {steps} steps must have shape ({steps + 1}, size, size, 3) and type "
            "uint8; convert them."
        )
    return images


def is_square_rgb(shape: Sequence[int]) -> bool:
    """Say whether a picture of a shape is one that a policy sees: (H, H, 3)."""
    return len(shape) == 3 and shape[0] == shape[1] and shape[2] == 3


def check_proprioception(values: Array, key: str, steps: int, *, has_final: bool = True) -> Array:
    """Return hand xyz (metres) and gripper opening, float32 (T, 4), or T + 1 with a final one."""
    values = _check_rows(values, f"the observation {key!r}", (steps, 4), has_final)
    farthest = float(np.abs(values[:, :3]).max())
    if farthest > _FARTHEST_M:
        raise EpisodeError(
            f"the observation {key!r} has a hand position of {farthest:.4g}; its first three "
            "entries must be metres in the world frame; convert them."
        )
    least, most = float(values[:, 3].min()), float(values[:, 3].max())
    if least < 0 or most > 1:
        raise EpisodeError(
            f"the observation {key!r} has gripper openings from {least:.4g} to {most:.4g}; its "
            "fourth entry must lie in [0, 1], where 1 is 10 cm; convert it."
        )
    return values


def check_tracked(values: Array, key: str, steps: int, *, has_final: bool = True) -> Array:
    """Return object and goal position in metres, float32 (T, 6), or T + 1 with a final one."""
    return _check_rows(values, f"the entry {key!r}", (steps, 6), has_final)


def _check_rows(values: Array, name: str, shape: tuple[int, int], has_final: bool) -> Array:
    longest = (shape[0] + has_final, shape[1])
    if values.shape not in (shape, longest):
        raise EpisodeError(
            f"{name} has shape {values.shape}; for {shape[0]} steps it must have shape "
            f"{longest}; name another entry or convert it."
        )
    return _to_float32(values, name)


def _to_float32(values: Array, name: str) -> Array:
    """Return finite numbers as float32; those of float64 are rounded."""
    if values.dtype.kind != "f":
        raise EpisodeError(
            f"{name} has type {values.dtype}; it must have type float32; convert it."
        )
    if not np.isfinite(values).all():
        raise EpisodeError(f"{name} holds NaN or infinity; remove those episodes.")
    return values.astype(np.float32)
