"""Names of the tasks and where their classes are. Importing this loads neither torch nor MuJoCo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from lam_envs.errors import TaskLoadError, UnknownTaskError
from lam_envs.installed import installed_points
from lam_envs.names import BUILT_IN, STREAMS
from lam_envs.registration import register_env
from lam_envs.words import nearest

if TYPE_CHECKING:
    from lam_envs.tasks.base import Task

_TaskT = TypeVar("_TaskT", bound="type[Task]")

ENTRY_POINT_GROUP = "lam_envs.tasks"
"""Group in which other packages name their tasks: `my-task = "my_package.my_task:MyTask"`."""

_REGISTERED: dict[str, type[Task]] = {}
"""Tasks that `register_task` added."""


def register_task(cls: _TaskT) -> _TaskT:
    """Add a task class under its `name`, and its Gymnasium id; a decorator, too.

    Args:
        cls: The class of the task.

    Returns:
        The same class.

    Raises:
        TaskLoadError: The class is no complete task, or its name is taken.
    """
    from lam_envs.tasks.loading import check_task_class  # Imports torch, as the class did.

    check_task_class(cls)
    _check_free(cls.name, f"{cls.__module__}:{cls.__qualname__}")
    _REGISTERED[cls.name] = cls
    register_env(cls.name)
    return cls


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks, built-in ones first."""
    return tuple(dict.fromkeys((*BUILT_IN, *_REGISTERED, *_entry_points())))


def check_task_name(name: str) -> None:
    """Refuse a name that no task has, or that an installed package has taken a second time.

    Raises:
        UnknownTaskError: With the nearest name and the list of all.
        TaskLoadError: Naming those who share the name.
    """
    names = task_names()
    if name not in names:
        raise UnknownTaskError(
            f"there is no task {name!r}{nearest(name, names)}; the tasks are {', '.join(names)}."
        )
    for target in _entry_points().get(name, ()):
        _check_free(name, target)


def make_task(name: str) -> Task:
    """Make a task by name.

    Raises:
        UnknownTaskError: No task has this name.
        TaskLoadError: Its package cannot be loaded, or its class is no complete task.
    """
    check_task_name(name)
    if name in BUILT_IN:
        module, _, attribute = _built_in_target(name).partition(":")
        task: Task = getattr(import_module(module), attribute)()
        return task
    if name in _REGISTERED:
        return _REGISTERED[name]()
    from lam_envs.tasks.loading import check_task_class, load_task_class

    who = f"the entry point {name!r} of the group {ENTRY_POINT_GROUP}"
    cls = load_task_class(_entry_points()[name][0], who)
    check_task_class(cls)
    if cls.name != name:
        raise TaskLoadError(f"{who} names a task with the name {cls.name!r}; make them the same.")
    return cls()


def _built_in_target(name: str) -> str:
    """Return the `module:class` of a built-in task, both of which its name gives."""
    words = name.split("-")
    return f"lam_envs.tasks.{'_'.join(words)}:{''.join(map(str.capitalize, words))}"


def _entry_points() -> dict[str, tuple[str, ...]]:
    """Return task name -> the `module:class` of each installed package that brings it."""
    found: dict[str, dict[str, None]] = {}
    for point in installed_points(ENTRY_POINT_GROUP):
        found.setdefault(point.name, {})[point.value] = None
    return {name: tuple(targets) for name, targets in found.items()}


def _check_free(name: str, target: str) -> None:
    """Refuse a name that a stream, or a task other than `target`, has.

    Args:
        name: Name of a task.
        target: `module:class` of the task that asks for it.
    """
    owners = [*_entry_points().get(name, ())]
    if name in BUILT_IN:
        owners.append(_built_in_target(name))
    if name in _REGISTERED:
        owners.append(f"{_REGISTERED[name].__module__}:{_REGISTERED[name].__qualname__}")
    if name in STREAMS:
        owners.append("the task stream of that name")
    taken = [owner for owner in owners if owner != target]
    if taken:
        raise TaskLoadError(
            f"the task {target} cannot have the name {name!r}, which {taken[0]} has; "
            "choose another name, or remove one of the two."
        )
