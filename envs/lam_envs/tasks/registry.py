"""Names of the tasks and where their classes are. Importing this loads neither torch nor MuJoCo."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from lam_envs.errors import UnknownTaskError

if TYPE_CHECKING:
    from lam_envs.tasks.base import Task

ENTRY_POINT_GROUP = "lam_envs.tasks"
"""Group in which other packages name their tasks: `my-task = "my_package.my_task:MyTask"`."""

_BUILT_IN = {
    "reach": "lam_envs.tasks.reach:Reach",
    "push": "lam_envs.tasks.push:Push",
    "drawer-open": "lam_envs.tasks.drawer_open:DrawerOpen",
    "window-close": "lam_envs.tasks.window_close:WindowClose",
    "pick-place": "lam_envs.tasks.pick_place:PickPlace",
    "door-open": "lam_envs.tasks.door_open:DoorOpen",
    "drawer-close": "lam_envs.tasks.drawer_close:DrawerClose",
    "button-press-topdown": "lam_envs.tasks.button_press_topdown:ButtonPressTopdown",
    "peg-insert-side": "lam_envs.tasks.peg_insert_side:PegInsertSide",
    "window-open": "lam_envs.tasks.window_open:WindowOpen",
    "peg-unplug-side": "lam_envs.tasks.peg_unplug_side:PegUnplugSide",
    "hammer": "lam_envs.tasks.hammer:Hammer",
    "push-wall": "lam_envs.tasks.push_wall:PushWall",
    "faucet-close": "lam_envs.tasks.faucet_close:FaucetClose",
    "push-back": "lam_envs.tasks.push_back:PushBack",
    "stick-pull": "lam_envs.tasks.stick_pull:StickPull",
    "handle-press-side": "lam_envs.tasks.handle_press_side:HandlePressSide",
    "shelf-place": "lam_envs.tasks.shelf_place:ShelfPlace",
}


def _targets() -> dict[str, str]:
    """Return task name -> `module:class`, built-in tasks first."""
    found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    return {**_BUILT_IN, **{name: value for name, value in found.items() if name not in _BUILT_IN}}


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    return tuple(_targets())


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the nearest allowed name, or nothing."""
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_task_name(name: str) -> None:
    """Refuse a name that no task has.

    Raises:
        UnknownTaskError: With the nearest name and the list of all.
    """
    names = task_names()
    if name not in names:
        raise UnknownTaskError(
            f"there is no task {name!r}{nearest(name, names)}; the tasks are {', '.join(names)}."
        )


def make_task(name: str) -> Task:
    """Make a task by name.

    Raises:
        UnknownTaskError: No task has this name.
    """
    check_task_name(name)
    module, _, attribute = _targets()[name].partition(":")
    task: Task = getattr(import_module(module), attribute)()
    return task
