"""`lam-agent export-lerobot`: a folder of demonstrations into one LeRobot dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from lam_agent.config import TaskStream
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments

if TYPE_CHECKING:
    from lam_agent.episodes import EpisodeSet


@dataclass(frozen=True)
class ExportArguments:
    """Make one LeRobot dataset of the demonstrations of all tasks."""

    folder: tyro.conf.Positional[Path]
    """Folder of `<task>.safetensors` files, as `lam-agent collect --output` makes it."""

    output: Path
    """Folder of the dataset, which is made."""

    tasks: TaskStream | None = None
    """Tasks, separated by commas; none: all of the folder."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Export demonstrations and say where the dataset is."""
    from lam_agent.modules import import_modules

    asked = parse_arguments(ExportArguments, merge_imports(arguments), "lam-agent export-lerobot")
    import_modules(asked.imports)

    from lam_agent.demonstrations.folder import episode_file, folder_tasks, load_episodes
    from lam_agent.interchange import export_lerobot
    from lam_agent.interchange.lerobot.export import check_free
    from lam_agent.progress import RunProgress, plain_console

    check_free(asked.output)
    tasks = tuple(dict.fromkeys(asked.tasks or folder_tasks(asked.folder)))
    for task in tasks:  # Before the first of them is written.
        episode_file(asked.folder, task)
    progress = RunProgress(plain_console())
    counts = {}
    with progress.phase(f"writing {asked.output.name}") as update:

        def loaded() -> Iterator[EpisodeSet]:
            for place, task in enumerate(tasks):
                update(place / len(tasks), f"writing {task}")
                episodes = load_episodes(asked.folder, task)
                counts[task] = episodes.num_episodes
                yield episodes

        frames = export_lerobot(loaded(), asked.output)
    progress.say(
        f"Exported {sum(counts.values())} demonstrations of {', '.join(counts)}: "
        f"{frames} frames; {asked.output}"
    )
