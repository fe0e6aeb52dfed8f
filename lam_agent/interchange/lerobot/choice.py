"""Which episodes of a LeRobot dataset demonstrate a task, and whether the memory holds them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lam_agent.errors import EpisodeError
from lam_agent.interchange.lerobot.dataset import LeRobotDataset
from lam_agent.system import available_memory_mb
from lam_envs.tasks.registry import make_task
from lam_envs.words import nearest


def choose_episodes(
    dataset: LeRobotDataset,
    task: str,
    instruction: str | None,
    episodes: tuple[int, int | None] | None,
) -> list[Mapping[str, Any]]:
    """Return the rows of the episodes that demonstrate a task.

    Args:
        dataset: The dataset.
        task: The task.
        instruction: What they follow; None for what the dataset says.
        episodes: First episode and the one behind the last, None for the dataset's end; None for
            all.

    Raises:
        EpisodeError: There are none, or it cannot be known which they are.
    """
    if not dataset.episodes:
        raise EpisodeError("it has no episodes; download or record them.")
    words = _instruction(dataset, task, instruction)
    first, end = episodes or (0, None)
    end = len(dataset.episodes) if end is None else end
    if not 0 <= first < end <= len(dataset.episodes):
        raise EpisodeError(
            f"episodes is {first}:{end}; it must lie in 0:{len(dataset.episodes)}, with the first "
            "before the last."
        )
    chosen = [
        episode for episode in dataset.episodes[first:end] if words in (episode.get("tasks") or ())
    ]
    for episode in chosen:
        if len(episode["tasks"]) > 1:
            raise EpisodeError(
                f"episode {episode['episode_index']} follows several instructions "
                f"({_quoted(episode['tasks'])}); split it."
            )
    if not chosen:
        raise EpisodeError(
            f"none of the episodes {first}:{end} follows {words!r}; name others by --episodes or "
            "--instruction."
        )
    return chosen


def _instruction(dataset: LeRobotDataset, task: str, given: str | None) -> str:
    """Return the words that the episodes of a task follow."""
    told = dataset.origin.get("tasks", {})
    if told and task not in told:
        raise EpisodeError(
            f"it demonstrates {', '.join(told)}, not {task!r}{nearest(task, told)}; change --task "
            "or the dataset."
        )
    own = make_task(task).instruction
    words = given if given is not None else told.get(task)
    if words is None and len(dataset.instructions) == 1:
        words = dataset.instructions[0]
    if words is None and own in dataset.instructions:
        words = own
    if words not in dataset.instructions:
        which = (
            f"no instruction {words!r}" if words else f"several instructions, and none is {own!r}"
        )
        raise EpisodeError(
            f"it has {which}{nearest(words or own, dataset.instructions)}; it has "
            f"{_quoted(dataset.instructions)}; name one by --instruction."
        )
    return str(words)


def _quoted(words: Iterable[str]) -> str:
    """Return instructions as a list in words."""
    return ", ".join(map(repr, words)) or "no instructions"


def check_memory(
    shapes: Iterable[Sequence[int]], episodes: Sequence[Mapping[str, Any]], stride: int
) -> None:
    """Refuse more pictures than the memory holds, before the first is read.

    Args:
        shapes: Shape of each camera's pictures.
        episodes: Rows of the episodes.
        stride: Every n-th picture is kept.

    Raises:
        EpisodeError: Naming how much they need and how much there is.
    """
    looks = sum(-(-int(episode["length"]) // stride) for episode in episodes)
    # All of them, and once more those of the camera that is being joined.
    sizes = [looks * math.prod(shape) / 2**20 for shape in shapes]
    needed, available = sum(sizes) + max(sizes), available_memory_mb()
    if needed > available:
        raise EpisodeError(
            f"its pictures need {needed:.0f} MB of memory, where {available:.0f} MB are free; take "
            "fewer episodes by --episodes START:END."
        )
