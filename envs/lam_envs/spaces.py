"""What Gymnasium sees of a `BatchedEnv`: spaces, observations, actions, reset options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import mujoco
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces

from lam_envs.batched import BatchedEnv
from lam_envs.checks import check_cameras, check_counts
from lam_envs.errors import InvalidActionError, InvalidResetError, InvalidSettingError
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.tasks.sawyer import ACTION_SIZE, HAND_SPACE_HIGH, HAND_SPACE_LOW, STATE_SIZE
from lam_envs.words import nearest

Array = npt.NDArray[Any]
Observation = dict[str, Array]
Info = dict[str, Any]

RENDER_FPS = 80
"""Frames a second of `render()` of Meta-World's tasks: one frame a control step."""

RENDER_CAMERA = "front"

_STATE_LIMIT = float(mujoco.mjMAXVAL)
_FRAME_SIZE = 18


def render_fps(control_dt: float) -> float:
    """Return the frames a second of `render()` of a task; a whole number where it is one."""
    frames = 1.0 / control_dt
    return round(frames) if math.isclose(frames, round(frames)) else frames


def action_space() -> spaces.Box:
    """Return the action space of one world."""
    return spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)


def observation_space(
    cameras: Sequence[str],
    image_size: int,
    *,
    observe_state: bool,
    randomisation: Randomisation | None = None,
) -> spaces.Dict:
    """Return the flat observation space of one world.

    Args:
        cameras: Cameras that are observed.
        image_size: Height and width of their images, pixels.
        observe_state: Whether the 39-D state is observed, too.
        randomisation: What differs between episodes: hands are as much higher or lower as tables.

    Raises:
        InvalidSettingError: A camera is unknown, or the image size is below 1.
    """
    check_cameras(cameras)
    check_counts(image_size=image_size)
    hand = ((*HAND_SPACE_LOW, 0.0), (*HAND_SPACE_HIGH, 1.0))
    keys: dict[str, spaces.Space[Any]] = {
        camera: spaces.Box(0, 255, (image_size, image_size, 3), np.uint8) for camera in cameras
    }
    low, high = (np.array(bound, dtype=np.float32) for bound in hand)
    if randomisation is not None:
        low[2] -= randomisation.table_height_m
        high[2] += randomisation.table_height_m
    keys["proprioception"] = spaces.Box(low, high, dtype=np.float32)
    if observe_state:
        keys["state"] = _state_space(hand)
    return spaces.Dict(keys)


def _state_space(hand: tuple[tuple[float, ...], tuple[float, ...]]) -> spaces.Box:
    """Return the state's space: bounds of the hand; MuJoCo's largest number for all else."""
    high = np.full(STATE_SIZE, _STATE_LIMIT)
    low = -high
    for start in (0, _FRAME_SIZE):
        low[start : start + 4], high[start : start + 4] = hand
    return spaces.Box(low, high, dtype=np.float64)


def observe(env: BatchedEnv, *, observe_state: bool) -> Observation:
    """Return what all worlds observe now, as new arrays of shape (num_envs, ...)."""
    arrays = {name: image.numpy() for name, image in env.images().items()}
    arrays["proprioception"] = env.proprioception().cpu().numpy()
    if observe_state:
        arrays["state"] = env.state.to("cpu", torch.float64, copy=True).numpy()
    return {key: arrays[key] for key in sorted(arrays)}


def to_actions(action: object, shape: tuple[int, ...]) -> torch.Tensor:
    """Turn an action into a tensor of shape (num_envs, 4).

    Args:
        action: Array-like of `shape`.
        shape: (4,) of one world, or (num_envs, 4).

    Raises:
        InvalidActionError: Not numbers, or another shape.
    """
    try:
        array = np.array(action, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidActionError(
            f"the action is {action!r}; it must be an array of numbers of shape {shape}."
        ) from error
    if array.shape != shape:
        raise InvalidActionError(f"the action has shape {array.shape}; it must have shape {shape}.")
    return torch.from_numpy(array).reshape(-1, ACTION_SIZE)


def reset_vectors(
    env: BatchedEnv,
    generators: Sequence[np.random.Generator],
    mask: npt.NDArray[np.bool_],
    given: object,
) -> torch.Tensor:
    """Return the reset vectors of the masked worlds, shape (mask.sum(), k).

    Args:
        env: The worlds.
        generators: One for each world, from which its vector is drawn.
        mask: Worlds that reset, shape (num_envs,), bool.
        given: Reset vector for all, shape (k,), or for each, shape (num_envs, k); None draws them.

    Raises:
        InvalidResetError: A reset vector of another shape.
    """
    if given is None:
        chosen = [generator for generator, resets in zip(generators, mask, strict=True) if resets]
        return torch.from_numpy(env.task.sample_reset_vectors(chosen))
    size = len(env.task.reset_low)
    shapes = [(size,), (env.num_envs, size)]
    try:
        vectors = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidResetError(
            f"the reset_vector is {given!r}; it must be an array of numbers of shape {shapes[0]}."
        ) from error
    if vectors.shape not in shapes:
        raise InvalidResetError(
            f"the reset_vector has shape {vectors.shape}; {env.task.name} needs "
            f"{shapes[0]} or {shapes[1]}."
        )
    return torch.from_numpy(np.broadcast_to(vectors, (env.num_envs, size))[mask])


def randomisation_seeds(
    env: BatchedEnv, generators: Sequence[np.random.Generator], mask: npt.NDArray[np.bool_]
) -> list[int] | None:
    """Return a seed for each masked world whose looks or physics are drawn; None where none are.

    Args:
        env: The worlds.
        generators: One for each world, from which its seed is drawn.
        mask: Worlds that reset, shape (num_envs,), bool.
    """
    if not env.is_randomised:
        return None
    chosen = (generator for generator, resets in zip(generators, mask, strict=True) if resets)
    return [int(generator.integers(2**63)) for generator in chosen]


def check_options(options: Mapping[str, Any] | None, allowed: Sequence[str]) -> Mapping[str, Any]:
    """Return the options of Gymnasium's `reset`, or an empty mapping.

    Raises:
        InvalidResetError: An unknown option, with the nearest name and the list of all.
    """
    if not isinstance(options, Mapping | None):
        raise InvalidResetError(f"options is {options!r}; it must be a dict or None.")
    for name in options or {}:
        if name not in allowed:
            raise InvalidResetError(
                f"there is no reset option {name!r}{nearest(name, allowed)}; "
                f"the options are {', '.join(allowed)}."
            )
    return options or {}


def check_render_mode(render_mode: str | None, allowed: Sequence[str]) -> None:
    """Refuse a render mode that does not exist.

    Raises:
        InvalidSettingError: Naming the render mode.
    """
    if render_mode is not None and render_mode not in allowed:
        raise InvalidSettingError(
            f"there is no render mode {render_mode!r}; it must be {' or '.join(allowed)}, or None."
        )


def warn_without_render_mode() -> None:
    """Say why `render()` returns None, as Gymnasium's own environments do."""
    gymnasium.logger.warn(
        "render() was called without a render mode; make the environment with "
        "render_mode='rgb_array'."
    )


def render_frames(env: BatchedEnv, render_size: int) -> Array:
    """Return the front view of every world, shape (num_envs, render_size, render_size, 3)."""
    return env.images((RENDER_CAMERA,), render_size)[RENDER_CAMERA].numpy()
