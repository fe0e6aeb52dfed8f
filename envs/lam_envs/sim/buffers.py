"""How much room a world has for contacts and constraint rows on the warp engine, task by task.

mujoco_warp sets memory aside before the first step. `buffers.json` holds the most of each that a
world of a task needed under the teacher and under random actions, as
`python -m benchmarks.engine_buffers` measured it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_MARGIN = 2.0
"""Factor on what was measured: a policy may push things where nobody did."""

_STEP = 8


@dataclass(frozen=True)
class Room:
    """What memory is set aside for, per world.

    Attributes:
        contacts: Contacts, and as many pairs of geoms that may touch. All worlds share this room:
            one may have more where others have less.
        constraints: Constraint rows; no world may have more.
    """

    contacts: int = 112
    constraints: int = 472


def room_of(task: str) -> Room:
    """Return the room of a task's worlds; tasks that were not measured have that of `Room()`."""
    used = _measured().get(task)
    if used is None:
        return Room()
    return Room(*(_with_margin(used[name]) for name in ("contacts", "constraints")))


def _with_margin(used: int) -> int:
    return _STEP * -(-int(_MARGIN * used) // _STEP)


@cache
def _measured() -> dict[str, dict[str, int]]:
    """Return what was measured, by task."""
    text = files("lam_envs.sim").joinpath("buffers.json").read_text(encoding="utf-8")
    tasks: dict[str, dict[str, int]] = json.loads(text)["tasks"]
    return tasks
