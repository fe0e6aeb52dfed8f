"""What a page shows of each task: instruction, first frames and videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lam_agent.report.events import Events
from lam_agent.report.words import value_words
from lam_agent.results import Results

_MOST_PICTURE_BYTES = 2_000_000
"""Bytes of all pictures of a page together, as base64; a page stays below 3 MB."""

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]")
"""How an address that leaves the run folder begins."""


@dataclass(frozen=True)
class Video:
    """A video of one episode; `link` is empty where its path leads out of the run folder."""

    words: str
    link: str


@dataclass(frozen=True)
class Task:
    """One task of the stream; a repeated task is one of them."""

    name: str
    instruction: str
    pictures: Sequence[tuple[str, str]]
    videos: Sequence[Video]


@dataclass(frozen=True)
class Tasks:
    """All tasks, and how many pictures were left out because they are too large together."""

    tasks: Sequence[Task]
    num_left_out: int

    @property
    def has_pictures(self) -> bool:
        """Say whether there is any picture."""
        return any(task.pictures for task in self.tasks)

    @property
    def has_videos(self) -> bool:
        """Say whether there is any video."""
        return any(task.videos for task in self.tasks)


def describe_tasks(results: Results, events: Events, base: str = "") -> Tasks:
    """Return what is known of each task.

    Args:
        results: The results of the run.
        events: Its log, which holds the first frames.
        base: Where the run folder lies as the page sees it; empty: the page lies in it.
    """
    instructions = {
        entry["task"]: value_words(entry["instruction"])
        for entry in results.per_task
        if isinstance(entry.get("task"), str) and "instruction" in entry
    }
    used, left_out, tasks = 0, 0, []
    for name in dict.fromkeys(results.tasks):
        pictures = []
        for camera, png in events.first_frames.get(name, {}).items():
            if used + len(png) > _MOST_PICTURE_BYTES:
                left_out += 1
                continue
            used += len(png)
            pictures.append((camera, f"data:image/png;base64,{png}"))
        videos = [_video(video, base) for video in results.videos if video.get("task") == name]
        tasks.append(Task(name, instructions.get(name, ""), pictures, videos))
    return Tasks(tasks, left_out)


def _video(video: Mapping[str, Any], base: str) -> Video:
    """Return a video in words, with a link that stays inside the run folder."""
    episode = "" if video.get("episode") is None else f", episode {video['episode']}"
    path = str(video.get("path", ""))
    leaves = not path or _ELSEWHERE.match(path) or ".." in re.split(r"[/\\]", path)
    prefix = f"{base.rstrip('/')}/" if base else ""
    link = "" if leaves else quote(prefix + path)
    return Video(f"{video.get('outcome', 'video')}{episode}", link if ":" not in link else "")
