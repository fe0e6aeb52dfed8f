"""EpisodeSets -> one LeRobot dataset: one LeRobot frame for each look of the cameras.

A frame is what the policy saw at a look and what it did until the next: one action where the
cameras look at every control step, else `look_every` actions, one behind the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError
from lam_agent.files import folder_atomically
from lam_agent.interchange.entries import Array
from lam_agent.interchange.lerobot.features import Feature, features_of
from lam_agent.interchange.lerobot.format import (
    ACTION,
    DONE,
    NUM_ACTIONS,
    ORIGIN,
    PICTURES,
    REWARD,
    STATE,
    SUCCESS,
    TRACKED,
    load_arrow,
)
from lam_agent.interchange.lerobot.writer import LeRobotWriter
from lam_agent.interchange.origin import ORIGIN_VERSION
from lam_envs.tasks.registry import make_task


@dataclass(frozen=True)
class _Kind:
    """What all episodes of a dataset have in common."""

    features: dict[str, Feature]
    look_every: int
    control_dt: float


def check_free(folder: Path) -> None:
    """Refuse a folder that is there already.

    Raises:
        MissingExtraError: pyarrow is not installed.
        EpisodeError: Naming the folder.
    """
    load_arrow()
    if folder.exists():
        raise EpisodeError(f"{folder} exists already; remove it or choose another --output.")


def export_lerobot(episode_sets: Iterable[EpisodeSet], folder: Path) -> int:
    """Write episodes of one task or several as a LeRobot dataset, losslessly.

    Args:
        episode_sets: The episodes of each task; they may be loaded one after the other.
        folder: The dataset's folder. It appears when all is written.

    Returns:
        Number of frames.

    Raises:
        MissingExtraError: pyarrow is not installed.
        EpisodeError: The folder exists, or the tasks differ in what their frames hold.
        UnknownTaskError: No task has the episodes' task.
    """
    check_free(folder)
    with folder_atomically(folder) as temporary:
        return _write(episode_sets, temporary)


def _write(episode_sets: Iterable[EpisodeSet], folder: Path) -> int:
    """Write the files of a dataset."""
    kind: _Kind | None = None
    writer: LeRobotWriter | None = None
    instructions: dict[str, str] = {}
    try:
        for episodes in episode_sets:
            own = _Kind(features_of(episodes), episodes.look_every, episodes.control_dt)
            if kind is None or writer is None:
                kind = own
                writer = LeRobotWriter(folder, kind.features, frame_rate(episodes))
            _check_alike(episodes.task, own, kind)
            instruction = make_task(episodes.task).instruction
            _check_new(episodes.task, instruction, instructions)
            instructions[episodes.task] = instruction
            for values in _frames(episodes):
                writer.add_episode(values, instruction)
        if kind is None or writer is None:
            raise EpisodeError("there are no demonstrations to export; name at least one task.")
        writer.finish()
    finally:
        if writer is not None:
            writer.close()
    origin = {
        "format_version": ORIGIN_VERSION,
        "control_dt": kind.control_dt,
        "look_every": kind.look_every,
        "tasks": instructions,
    }
    (folder / ORIGIN).write_text(json.dumps(origin, indent=4), encoding="utf-8")
    return writer.num_frames


def frame_rate(episodes: EpisodeSet) -> float:
    """Return the looks in a second, as a whole number where it is one."""
    rate = 1 / (episodes.control_dt * episodes.look_every)
    return round(rate) if math.isclose(rate, round(rate), rel_tol=1e-9) else rate


def _check_alike(task: str, own: _Kind, kind: _Kind) -> None:
    """Refuse a task whose frames are not like those of the first one."""
    for what, ours, theirs in (
        ("look_every", own.look_every, kind.look_every),
        ("control_dt", own.control_dt, kind.control_dt),
        ("tracked positions", TRACKED in own.features, TRACKED in kind.features),
        ("pictures", _sizes(own.features), _sizes(kind.features)),
    ):
        if ours != theirs:
            raise EpisodeError(
                f"the {what} of {task} ({ours}) are not those of the tasks before it ({theirs}); a "
                "dataset has frames of one kind; export them one by one with --tasks."
            )


def _sizes(features: dict[str, Feature]) -> str:
    """Return cameras and sizes of pictures in words."""
    sizes = {
        key.removeprefix(PICTURES): "x".join(map(str, feature.shape[:2]))
        for key, feature in features.items()
        if feature.is_picture
    }
    return ", ".join(f"{camera} {sizes[camera]}" for camera in sorted(sizes))


def _check_new(task: str, instruction: str, instructions: dict[str, str]) -> None:
    """Refuse a task with the words of another: a dataset tells tasks apart by them."""
    for other, words in instructions.items():
        if words == instruction:
            raise EpisodeError(
                f"{task} and {other} have the same instruction ({instruction!r}), by which a "
                "dataset tells tasks apart; export them one by one with --tasks."
            )


def _frames(episodes: EpisodeSet) -> Iterator[dict[str, Array]]:
    """Yield the frames of each episode, under the names of their features."""
    chunks, is_inside = episodes.action_chunks(episodes.look_every)  # (F, k, 4), (F, k)
    episode_of = torch.searchsorted(episodes.episode_start, episodes.look_step, right=True) - 1
    for index in range(episodes.num_episodes):
        looks = (episode_of == index).nonzero()[:, 0]
        is_last = np.arange(1, len(looks) + 1) == len(looks)
        is_success = is_last & bool(episodes.is_success[index])
        yield {
            **{
                f"{PICTURES}{camera}": images[looks].numpy()
                for camera, images in episodes.images.items()
            },
            STATE: episodes.proprioception[looks].numpy(),
            ACTION: chunks[looks].flatten(1).numpy(),  # (T, k * 4)
            NUM_ACTIONS: is_inside[looks].sum(1).numpy(),
            TRACKED: episodes.tracked[looks].numpy(),
            REWARD: is_success.astype(np.float32),
            DONE: is_last,
            SUCCESS: is_success,
        }
