"""`lam-agent export-minari`: a folder of demonstrations into Minari datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from lam_agent.config import TaskStream
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class ExportArguments:
    """Make a Minari dataset of each task's demonstrations."""

    folder: tyro.conf.Positional[Path]
    """Folder of `<task>.safetensors` files, as `lam-agent collect --output` makes it."""

    tasks: TaskStream | None = None
    """Tasks, separated by commas; none: all of the folder."""

    dataset_id: str = "lam/{task}-v0"
    """Name of the datasets; {task} stands for the task."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Export demonstrations and say where the datasets are."""
    from lam_agent.modules import import_modules

    asked = parse_arguments(ExportArguments, merge_imports(arguments), "lam-agent export-minari")
    import_modules(asked.imports)

    from lam_agent.demonstrations.folder import episode_file, folder_tasks, load_episodes
    from lam_agent.interchange import export_minari
    from lam_agent.interchange.minari.export import dataset_folder
    from lam_agent.progress import RunProgress, plain_console

    tasks = asked.tasks or folder_tasks(asked.folder)
    if len(tasks) > 1 and "{task}" not in asked.dataset_id:
        raise ConfigError(
            f"dataset-id is {asked.dataset_id!r} for the tasks {', '.join(tasks)}; it must contain "
            "{task}, or name one task by --tasks."
        )
    names = {task: asked.dataset_id.replace("{task}", task) for task in dict.fromkeys(tasks)}
    for task, name in names.items():  # Before the first of them is written.
        episode_file(asked.folder, task)
        dataset_folder(name)
    progress = RunProgress(plain_console())
    for task, name in names.items():
        episodes = load_episodes(asked.folder, task)
        with progress.phase(f"writing {name}"):
            folder = export_minari(episodes, name)
        progress.say(
            f"Exported {episodes.num_episodes} demonstrations of {task} as {name}: "
            f"{episodes.num_frames} steps of {episodes.look_every} actions; {folder}"
        )
