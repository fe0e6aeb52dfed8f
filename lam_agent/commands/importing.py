"""What the commands have in common that make demonstrations of other people's datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lam_agent.errors import ConfigError

if TYPE_CHECKING:
    from lam_agent.episodes import EpisodeSet
    from lam_agent.progress import RunProgress


def read_camera_keys(words: str) -> Mapping[str, str]:
    """Read `front=KEY,wrist=KEY`.

    Raises:
        ConfigError: The words have another form.
    """
    keys = {}
    for word in words.split(","):
        camera, sign, key = (part.strip() for part in word.partition("="))
        if not (camera and sign and key):
            raise ConfigError(f"camera-keys is {words!r}; it must look like front=KEY,wrist=KEY.")
        keys[camera] = key
    return keys


def save_and_say(episodes: EpisodeSet, path: Path, tracked_key: str, progress: RunProgress) -> None:
    """Write imported demonstrations and say what they are.

    Args:
        episodes: The demonstrations.
        path: Their file.
        tracked_key: Where tracked positions were looked for.
        progress: Where to say it.
    """
    episodes.save(path)
    progress.say(
        f"Imported {episodes.num_episodes} demonstrations of {episodes.task}: "
        f"{episodes.num_frames} looks, {len(episodes.actions)} actions, "
        f"{float(episodes.is_success.float().mean()):.0%} succeed; {path}"
    )
    if not episodes.has_tracked:
        progress.say(
            f"There are no tracked positions ({tracked_key}): run with --train.auxiliary-weight 0."
        )
