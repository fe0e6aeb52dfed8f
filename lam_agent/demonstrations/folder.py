"""Demonstrations of one's own: a folder of `<task>.safetensors` files instead of the cache."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

from lam_agent.config import RunConfig
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import ConfigError, EpisodeError
from lam_agent.files import file_digest, file_stamp
from lam_agent.teachers.choice import teacher_digests
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import make_task
from lam_envs.words import nearest

SUFFIX = ".safetensors"


def episode_file(folder: Path, task: str) -> Path:
    """Return the file of a task's episodes in a folder of demonstrations.

    Raises:
        EpisodeError: The folder or the file is not there.
    """
    if not folder.is_dir():
        raise EpisodeError(
            f"the demonstrations {folder} are no folder; name a folder of <task>{SUFFIX} files, as "
            "`lam-agent collect --output` makes it."
        )
    path = folder / f"{task}{SUFFIX}"
    if not path.is_file():
        names = sorted(file.name for file in folder.glob(f"*{SUFFIX}"))
        raise EpisodeError(
            f"the folder {folder} has no {path.name}{nearest(path.name, names)}; it holds "
            f"{', '.join(names) or 'no demonstrations'}; add the file or leave the task out."
        )
    return path


def folder_tasks(folder: Path) -> tuple[str, ...]:
    """Return the tasks that a folder has demonstrations of, in the order of their names.

    Raises:
        EpisodeError: There are none.
    """
    tasks = tuple(file.stem for file in sorted(folder.glob(f"*{SUFFIX}")))
    if not tasks:
        raise EpisodeError(f"{folder} holds no demonstrations; name a folder that does.")
    return tasks


def load_episodes(folder: Path, task: str) -> EpisodeSet:
    """Return all episodes of a task in a folder of demonstrations.

    Raises:
        EpisodeError: The file is missing, damaged, or of another task.
    """
    episodes = EpisodeSet.load(path := episode_file(folder, task))
    if episodes.task != task:
        raise EpisodeError(
            f"{path} holds episodes of {episodes.task!r}; it must hold those of {task!r}; "
            "give the file the name of its task."
        )
    return episodes


def check_demonstrations(config: RunConfig) -> None:
    """Read one's own demonstrations of every task of a run, before anything slow begins.

    Raises:
        EpisodeError: A file is missing, damaged, or does not fit the run.
        ConfigError: There are fewer episodes than asked for, or no tracked positions, or they are
            to be randomised.
    """
    if config.demonstrations_path is not None:
        if config.randomise.is_on:
            raise ConfigError(
                "--randomise.* tells how demonstrations are collected, but those of "
                f"{config.demonstrations_path} are there already; leave one of the two away, or "
                "alter their pictures by --augment.copies 1."
            )
        for task in dict.fromkeys(config.task_stream):
            read_demonstrations(task, config)


def read_demonstrations(task: str, config: RunConfig) -> EpisodeSet:
    """Return the first `config.demonstrations` of one's own demonstrations of a task, or all.

    Raises:
        EpisodeError: The file is missing, damaged, or does not fit the run.
        ConfigError: There are fewer episodes than asked for, or no tracked positions.
    """
    path = episode_file(_folder(config), task)
    episodes = load_episodes(_folder(config), task)
    _check_fit(path, episodes, task, config)
    taken = _num_taken(path, episodes.num_episodes, config)
    return episodes if taken == episodes.num_episodes else episodes.first(taken)


def demonstration_source(config: RunConfig) -> dict[str, Any]:
    """Say where a run's demonstrations come from, as JSON holds it.

    Returns:
        `source`: `scripted teacher`, with what became of its `failures` and the SHA-256 of the
        `trained_teachers` that take its place in some tasks; or `own` with `folder`
        (its name), and for each task `sha256` of its file and the number of `episodes` that are
        used.
    """
    if config.demonstrations_path is None:
        failures = "kept" if config.collect.keep_failures else "replaced"
        trained = teacher_digests(config.task_stream, config.collect.teachers)
        named = {"trained_teachers": trained} if trained else {}
        return {"source": "scripted teacher", "failures": failures, **named}
    digests, episodes = {}, {}
    for task in dict.fromkeys(config.task_stream):
        path = episode_file(_folder(config), task)
        digests[task], there = _digest_and_count(path.resolve(), file_stamp(path))
        episodes[task] = _num_taken(path, there, config)
    return {
        "source": "own",
        "folder": config.demonstrations_path.resolve().name,
        "sha256": digests,
        "episodes": episodes,
    }


@cache
def _digest_and_count(path: Path, stamp: tuple[int, ...]) -> tuple[str, int]:
    """Return the SHA-256 of a file and how many episodes it has; both read all of it.

    Args:
        path: The file.
        stamp: Its `file_stamp`: a file that was changed is read again.
    """
    return file_digest(path), EpisodeSet.load(path).num_episodes


def _num_taken(path: Path, there: int, config: RunConfig) -> int:
    """Return how many of the episodes of a file are taken; refuse more than there are."""
    wanted = config.demonstrations
    if wanted is None:
        return there
    if there < wanted:
        raise ConfigError(
            f"demonstrations is {wanted}, but {path} has {there} episodes; ask for "
            f"at most {there} or leave --demonstrations away."
        )
    return wanted


def _folder(config: RunConfig) -> Path:
    """Return the folder of one's own demonstrations."""
    if config.demonstrations_path is None:
        raise ConfigError("demonstrations-path is not set; name a folder of demonstrations.")
    return config.demonstrations_path


def _check_fit(path: Path, episodes: EpisodeSet, task: str, config: RunConfig) -> None:
    """Refuse episodes of another rate, camera or size, and actions out of range."""
    control_dt = make_task(task).control_dt
    if not math.isclose(episodes.control_dt, control_dt, rel_tol=1e-6):
        raise EpisodeError(
            f"{path} has a control_dt of {episodes.control_dt} s; it must be {control_dt} s; "
            "record the actions at that rate."
        )
    if set(episodes.images) != set(CAMERAS):
        raise EpisodeError(
            f"{path} has the cameras {', '.join(episodes.images) or 'none'}; they must be "
            f"{', '.join(CAMERAS)}; record those."
        )
    size = config.policy.image_size
    for camera, images in episodes.images.items():
        if tuple(images.shape[1:3]) != (size, size):
            height, width = images.shape[1:3]
            others = "" if config.policy.init == "none" else "--policy.init none and "
            raise EpisodeError(
                f"{path} has pictures of {camera} of {height}x{width} pixels; they must have "
                f"{size}x{size}; set {others}--policy.image-size, or record at that size."
            )
    largest = float(episodes.actions.abs().max())
    if largest > 1:
        raise EpisodeError(
            f"{path} has an action of {largest:.4g}; actions must lie in [-1, 1]; scale them."
        )
    if not episodes.has_tracked and config.train.auxiliary_weight > 0:
        raise ConfigError(
            f"{path} has no tracked positions, which the auxiliary loss of weight "
            f"{config.train.auxiliary_weight} needs; add --train.auxiliary-weight 0."
        )
