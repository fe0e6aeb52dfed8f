"""`lam-agent import-lerobot`: a LeRobot dataset into a folder of demonstrations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from lam_agent.commands.importing import read_camera_keys, save_and_say
from lam_agent.commands.outputs import free_files
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class ImportArguments:
    """Make demonstrations, which `run --demonstrations-path` reads, of a LeRobot dataset."""

    dataset: tyro.conf.Positional[Path]
    """Folder of a LeRobotDataset v3.0 on this machine."""

    task: str
    """Task that the dataset demonstrates."""

    output: Path
    """Folder of demonstrations; the file `<task>.safetensors` is added to it."""

    instruction: str | None = None
    """Take only episodes that follow these words, where the dataset has several tasks."""

    episodes: str | None = None
    """Take only these, from START to the one before END: 0:50, 50: or :50; none: all."""

    camera_keys: str = "front=observation.images.front,wrist=observation.images.wrist"
    """Feature of each camera, pictures or video."""

    action_key: str = "action"
    """Feature with hand displacement (1 is 1 cm) and finger effort, in [-1, 1]."""

    state_key: str = "observation.state"
    """Feature with hand xyz (metres) and gripper opening (0 to 1)."""

    tracked_key: str = "tracked"
    """Feature with object and goal xyz (metres), where there is one."""

    success_key: str = "next.success"
    """Feature that is true at some frame of a success; `always`: every episode is one."""

    look_every: int | None = None
    """Keep every n-th picture; none: all."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Import a dataset and say where its demonstrations are."""
    from lam_agent.modules import import_modules

    asked = parse_arguments(ImportArguments, merge_imports(arguments), "lam-agent import-lerobot")
    import_modules(asked.imports)
    path = free_files(asked.output, [asked.task])[asked.task]
    cameras = read_camera_keys(asked.camera_keys)
    episode_range = _read_range(asked.episodes)

    from lam_agent.interchange import LeRobotKeys, import_lerobot
    from lam_agent.progress import RunProgress, plain_console

    keys = LeRobotKeys(
        cameras, asked.action_key, asked.state_key, asked.tracked_key, asked.success_key
    )
    progress = RunProgress(plain_console())
    with progress.phase(f"reading {asked.dataset.name}") as update:
        episodes = import_lerobot(
            asked.dataset,
            asked.task,
            keys=keys,
            instruction=asked.instruction,
            episodes=episode_range,
            look_every=asked.look_every,
            progress=update,
        )
    save_and_say(episodes, path, asked.tracked_key, progress)


def _read_range(words: str | None) -> tuple[int, int | None] | None:
    """Read `START:END`, of which one may be missing."""
    if words is None:
        return None
    found = re.fullmatch(r"(\d*):(\d*)", words)
    if not found or words == ":":
        raise ConfigError(f"episodes is {words!r}; it must look like 0:50, 50: or :50.")
    first, end = found.groups()
    return int(first or 0), int(end) if end else None
