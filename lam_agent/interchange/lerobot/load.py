"""LeRobot dataset -> EpisodeSet, with a refusal that names what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError
from lam_agent.interchange.checks import (
    check_actions,
    check_control_dt,
    check_look_every,
    check_proprioception,
    check_tracked,
    is_square_rgb,
)
from lam_agent.interchange.entries import Array, entry, is_any_true
from lam_agent.interchange.joining import join
from lam_agent.interchange.lerobot.choice import check_memory, choose_episodes
from lam_agent.interchange.lerobot.dataset import LeRobotDataset, check_is_dataset, open_dataset
from lam_agent.interchange.lerobot.format import NUM_ACTIONS, TRACKED, reading
from lam_agent.interchange.lerobot.frames import embedded_pictures, numbers, read_frames
from lam_agent.interchange.lerobot.keys import ALWAYS, LeRobotKeys
from lam_agent.interchange.lerobot.video import video_pictures
from lam_agent.types import Progress, no_progress
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import ACTION_SIZE


def import_lerobot(
    folder: Path,
    task: str,
    *,
    keys: LeRobotKeys | None = None,
    instruction: str | None = None,
    episodes: tuple[int, int | None] | None = None,
    look_every: int | None = None,
    progress: Progress = no_progress,
) -> EpisodeSet:
    """Read a LeRobot dataset of this machine.

    Args:
        folder: Folder of the dataset.
        task: Task that it demonstrates.
        keys: Where the parts are; None for the names that an export gives them.
        instruction: Only episodes that follow these words are taken; None for what an export said
            of the task, or the only instruction, or else the task's own.
        episodes: First episode and the one behind the last, None for the dataset's end; None for
            all.
        look_every: Control steps between two looks that are kept, where the dataset has one action
            a frame; None for what the dataset says, or else 1.
        progress: Called after each episode.

    Raises:
        MissingExtraError: pyarrow, or for videos PyAV, is not installed.
        UnknownTaskError: There is no such task.
        EpisodeError: The dataset is missing, damaged, or does not fit, which names how.
    """
    keys = keys or LeRobotKeys()
    expected = make_task(task).control_dt
    check_is_dataset(folder)
    try:
        dataset = open_dataset(folder)
        chunk = _chunk_length(dataset, keys.action, look_every)
        told = dataset.origin.get("control_dt")
        step_s = check_control_dt(expected, told, _step_s(dataset, chunk))
        every = check_look_every(chunk, dataset.origin.get("look_every"), look_every)
        columns = _columns(dataset, keys)
        chosen = choose_episodes(dataset, task, instruction, episodes)
        stride = 1 if chunk is not None else every
        check_memory([_shape(dataset, key) for key in keys.cameras.values()], chosen, stride)
        parts: list[dict[str, Array]] = []
        for episode, table in read_frames(dataset, chosen, columns):
            pictures = _pictures(dataset, episode, table, keys, stride)
            parts.append(pictures | _convert(table, columns, keys, every, chunk is not None))
            progress(len(parts) / len(chosen), f"reading {folder.name}")
        return join(task, parts, keys.cameras, every, step_s)
    except EpisodeError as error:
        raise EpisodeError(f"the LeRobot dataset {folder} does not fit: {error}") from error


def _chunk_length(dataset: LeRobotDataset, key: str, look_every: int | None) -> int | None:
    """Return the number of actions of a chunk, or None where an action is a single one.

    Eight numbers may be two actions or one of another robot: an export or the user says which.
    """
    shape = entry(dataset.features, key, "features", "--action-key")["shape"]
    if shape == [ACTION_SIZE]:
        return None
    for length in (dataset.origin.get("look_every"), look_every):
        if isinstance(length, int) and shape == [length * ACTION_SIZE]:
            return length
    raise EpisodeError(
        f"its actions have shape {tuple(shape)}; they must have shape ({ACTION_SIZE},), or "
        f"(k * {ACTION_SIZE},) for chunks of k actions with --look-every k."
    )


def _step_s(dataset: LeRobotDataset, chunk: int | None) -> float:
    """Return the seconds of an action."""
    return 1 / (dataset.fps * (chunk or 1))


def _columns(dataset: LeRobotDataset, keys: LeRobotKeys) -> list[str]:
    """Return the columns that are read; a feature that is not there is refused."""
    features = dataset.features
    cameras = keys.cameras.values()
    for key in cameras:
        entry(features, key, "features", "--camera-keys")
    entry(features, keys.state, "features", "--state-key")
    columns = [key for key in cameras if features[key]["dtype"] != "video"]
    columns += [keys.action, keys.state]
    if keys.tracked in features or keys.tracked != TRACKED:
        entry(features, keys.tracked, "features", "--tracked-key")
        columns.append(keys.tracked)
    if keys.success != ALWAYS:
        entry(features, keys.success, "features", f"--success-key (or {ALWAYS!r})")
        columns.append(keys.success)
    if NUM_ACTIONS in features:
        columns.append(NUM_ACTIONS)
    return columns


def _shape(dataset: LeRobotDataset, key: str) -> tuple[int, ...]:
    """Return the shape of a camera's pictures, (H, W, C), and refuse those that are not square."""
    feature = dataset.features[key]
    if feature["dtype"] not in ("image", "video"):
        raise EpisodeError(
            f"the feature {key!r} has type {feature['dtype']}; it must be image or video; name "
            "another by --camera-keys."
        )
    shape, names = tuple(feature["shape"]), feature.get("names") or ()
    if len(shape) == 3 and list(names)[:1] in (["channels"], ["channel"]):
        shape = (*shape[1:], shape[0])
    if not is_square_rgb(shape):
        raise EpisodeError(
            f"the pictures of {key!r} have shape {shape}; they must be square RGB, of shape "
            "(size, size, 3); convert them."
        )
    return shape


def _pictures(
    dataset: LeRobotDataset,
    episode: Mapping[str, Any],
    table: Any,
    keys: LeRobotKeys,
    stride: int,
) -> dict[str, Array]:
    """Return the pictures of every camera at an episode's looks, (F, H, H, 3)."""
    looks = range(0, len(table), stride)
    pictures = {}
    for camera, key in keys.cameras.items():
        shape = _shape(dataset, key)
        is_video = dataset.features[key]["dtype"] == "video"
        path = dataset.video_file(episode, key) if is_video else dataset.data_file(episode)
        with reading(path.relative_to(dataset.folder)):
            if not is_video:
                pictures[camera] = embedded_pictures(table, key, looks, shape)
                continue
            start_s = float(episode[f"videos/{key}/from_timestamp"])
            pictures[camera] = video_pictures(path, key, start_s, dataset.fps, looks, shape)
    return pictures


def _convert(
    table: Any, columns: Sequence[str], keys: LeRobotKeys, look_every: int, is_chunked: bool
) -> dict[str, Array]:
    """Return the other parts of an episode, checked: a row for each look or action."""
    frames = len(table)
    stride = 1 if is_chunked else look_every
    actions = numbers(table, keys.action)
    if is_chunked:
        actions = actions.reshape(frames, look_every, -1)
    counts = numbers(table, NUM_ACTIONS) if is_chunked and NUM_ACTIONS in columns else None
    state = check_proprioception(numbers(table, keys.state), keys.state, frames, has_final=False)
    parts = {
        "actions": check_actions(actions, look_every, is_chunked, counts),
        "proprioception": state[::stride],
    }
    if keys.tracked in columns:
        tracked = numbers(table, keys.tracked)
        parts["tracked"] = check_tracked(tracked, keys.tracked, frames, has_final=False)[::stride]
    is_success = keys.success == ALWAYS or is_any_true(
        numbers(table, keys.success), f"entry {keys.success!r}"
    )
    parts["is_success"] = np.array([is_success])
    return parts
