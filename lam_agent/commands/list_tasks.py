"""`lam-agent list-tasks`: the tasks with their instructions, and the named task streams."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lam_agent.options import ModuleNames, merge_imports


@dataclass(frozen=True)
class ListArguments:
    """Print the tasks with their instructions, and the named task streams."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON list of objects with `name` and `instruction`, without the streams."""

    pictures: Path | None = None
    """Folder for pictures of both cameras at the start of each task, and a sheet of all."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Print the tasks."""
    asked = tyro.cli(ListArguments, args=merge_imports(arguments), prog="lam-agent list-tasks")
    from lam_envs.streams import STREAMS
    from lam_envs.tasks.importing import import_tasks
    from lam_envs.tasks.registry import make_task, task_names

    import_tasks(asked.imports)
    tasks = [{"name": name, "instruction": make_task(name).instruction} for name in task_names()]
    if asked.json:
        print(json.dumps(tasks, indent=2))
    else:
        for task in tasks:
            print(f"{task['name']:<22}{task['instruction']}")
        print("\nTask streams:")
        for name, stream in STREAMS.items():
            print(f"{name:<22}{','.join(stream)}")
    if asked.pictures is None:
        return
    from lam_agent.commands.pictures import save_pictures

    sheet = save_pictures(task_names(), asked.pictures)
    if not asked.json:
        print(f"\nPictures: {sheet}")
