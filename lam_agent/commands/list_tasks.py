"""`lam-agent list-tasks`: the tasks and their instructions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True)
class ListArguments:
    """Print the tasks and their instructions."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON list of objects with `name` and `instruction`."""


def command(arguments: Sequence[str]) -> None:
    """Print the tasks."""
    asked = tyro.cli(ListArguments, args=list(arguments), prog="lam-agent list-tasks")
    from lam_envs.tasks.registry import make_task, task_names

    tasks = [{"name": name, "instruction": make_task(name).instruction} for name in task_names()]
    if asked.json:
        print(json.dumps(tasks, indent=2))
        return
    for task in tasks:
        print(f"{task['name']:<20}{task['instruction']}")
