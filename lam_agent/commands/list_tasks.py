"""`lam-agent list-tasks`: the tasks with their instructions, and the named task streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments

if TYPE_CHECKING:
    from lam_envs.tasks.base import Task

_NAME_WIDTH = 27


@dataclass(frozen=True)
class ListArguments:
    """Print the tasks with their instructions, and the named task streams."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON list of objects with `name`, `instruction`, `scene` (its MJCF file) and
    `shares_scene_with` (other tasks with that file), without the streams."""

    pictures: Path | None = None
    """Folder for pictures of both cameras at the start of each task, a sheet of all, and one of
    randomised scenes."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Print the tasks."""
    asked = parse_arguments(ListArguments, merge_imports(arguments), "lam-agent list-tasks")
    from lam_agent.modules import import_modules
    from lam_envs.names import STREAMS
    from lam_envs.tasks.registry import make_task, task_names

    import_modules(asked.imports)
    tasks = {name: make_task(name) for name in task_names()}
    if asked.json:
        print(json.dumps(_described(tasks), indent=2))
    else:
        for name, task in tasks.items():
            print(f"{name:<{_NAME_WIDTH}}{task.instruction}")
        print("\nTask streams:")
        for name, stream in STREAMS.items():
            print(f"{name:<{_NAME_WIDTH}}{len(stream)} tasks: {','.join(stream)}")
    if asked.pictures is None:
        return
    from lam_agent.commands.pictures import save_pictures, save_randomised_pictures

    sheet = save_pictures(tuple(tasks), asked.pictures)
    randomised = save_randomised_pictures(asked.pictures)
    if not asked.json:
        print(f"\nPictures: {sheet}\nRandomised: {randomised}")


def _described(tasks: Mapping[str, Task]) -> list[dict[str, object]]:
    """Return what `--json` says of each task."""
    from lam_envs.tasks.scenes import scene_name, shared_scenes

    others = shared_scenes(tasks)
    return [
        {
            "name": name,
            "instruction": task.instruction,
            "scene": scene_name(task),
            "shares_scene_with": list(others[name]),
        }
        for name, task in tasks.items()
    ]
