"""Checks of the parts of a Minari dataset: shape, type, range and rate."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np

from lam_agent.errors import EpisodeError
from lam_agent.interchange.minari_keys import Array
from lam_envs.batched import ACTION_SIZE, CONTROL_DT_S

_FARTHEST_M = 5.0
"""No hand of a table-top robot is farther from the world's origin."""


def check_control_dt(said: Any, given: float | None) -> float:
    """Return the seconds of an action, of the dataset or else of the user.

    Args:
        said: What the dataset says; None if it does not.
        given: What the user says; None if they do not.

    Raises:
        EpisodeError: Nobody says it, or it is another rate than the simulation's.
    """
    if said is None and given is None:
        raise EpisodeError(
            f"it does not say how long an action lasts; name it by --control-dt, in seconds "
            f"(the simulation's is {CONTROL_DT_S})."
        )
    for value in (said, given):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise EpisodeError(f"its control_dt is {value!r}; it must be a number of seconds.")
        if value is not None and not math.isclose(value, CONTROL_DT_S, rel_tol=1e-6):
            raise EpisodeError(
                f"an action lasts {value} s; it must last {CONTROL_DT_S} s; record at that rate."
            )
    return float(CONTROL_DT_S if said is None else said)


def look_every_of(space: gymnasium.Space[Any], said: Any, given: int | None) -> tuple[int, bool]:
    """Return the control steps between two looks, and whether an action is a chunk of that many.

    Args:
        space: The dataset's action space.
        said: What the dataset says; None if it does not.
        given: What the user says; None if they do not.

    Raises:
        EpisodeError: The space is no Box of 4 numbers or of chunks of them, or the two differ.
    """
    shape = space.shape or ()
    is_box = isinstance(space, gymnasium.spaces.Box)
    if not is_box or len(shape) not in (1, 2) or shape[-1] != ACTION_SIZE:
        raise EpisodeError(
            f"its action space is {space}; it must be a Box of shape ({ACTION_SIZE},), or "
            f"(k, {ACTION_SIZE}) for chunks of k actions."
        )
    if given is not None and given < 1:
        raise EpisodeError(f"look-every is {given}; it must be at least 1.")
    if len(shape) == 2:
        if given not in (None, shape[0]):
            raise EpisodeError(
                f"it looks every {shape[0]} control steps, once for each chunk of actions, not "
                f"every {given}; leave --look-every away."
            )
        return shape[0], True
    if given is None and said is not None and (type(said) is not int or said < 1):
        raise EpisodeError(f"its look_every is {said!r}; it must be a whole number, at least 1.")
    return given or said or 1, False


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
            f"the info 'num_actions' is {counts.tolist()}; it must be {look_every} for each chunk, "
            "but for the last one of an episode."
        )
    mask: Array = (np.arange(look_every) < counts[:, None]).reshape(-1)
    return mask


def check_images(images: Array, key: str, steps: int) -> Array:
    """Return pictures as they are: uint8 (T or T + 1, H, H, 3)."""
    is_square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if not is_square or len(images) not in (steps, steps + 1) or images.dtype != np.uint8:
        raise EpisodeError(
            f"the observation {key!r} has shape {images.shape} and type {images.dtype}; square RGB "
            f"pictures of {steps} steps must have shape ({steps + 1}, size, size, 3) and type "
            "uint8; convert them."
        )
    return images


def check_proprioception(values: Array, key: str, steps: int) -> Array:
    """Return hand xyz (metres) and gripper opening, float32 (T or T + 1, 4)."""
    values = _check_rows(values, f"the observation {key!r}", steps, 4)
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


def check_tracked(values: Array, key: str, steps: int) -> Array:
    """Return object and goal position, float32 (T or T + 1, 6), metres."""
    return _check_rows(values, f"the entry {key!r}", steps, 6)


def _check_rows(values: Array, name: str, steps: int, width: int) -> Array:
    if values.shape not in ((steps, width), (steps + 1, width)):
        raise EpisodeError(
            f"{name} has shape {values.shape}; for {steps} steps it must have shape "
            f"({steps + 1}, {width}); name another entry or convert it."
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
