"""Load tasks of other packages: import their modules, check their classes.

Importing this module loads torch; the names of tasks are in `registry`, which does not.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from pathlib import Path

from lam_envs.errors import SceneError, TaskLoadError
from lam_envs.mjcf import scene_path
from lam_envs.tasks.base import Task
from lam_envs.tasks.importing import import_checked

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_WORD = re.compile(r"[a-z0-9]")
"""What the words of an instruction are made of, in small letters: a policy reads nothing else."""

_REQUIRED = ("name", "instruction", "model_file", "reset_low", "reset_high")
_BOUNDS = (("reset_low", "reset_high"), ("hand_low", "hand_high"), ("goal_low", "goal_high"))


def load_task_class(target: str, who: str) -> type[Task]:
    """Import a task class.

    Args:
        target: `module:class`.
        who: Who names it, for errors, such as `the entry point far-reach`.

    Raises:
        TaskLoadError: The module or the class is missing or fails, or is no task.
    """
    module_name, _, attribute = target.partition(":")
    module = import_checked(module_name, who)
    cls = getattr(module, attribute, None)
    if cls is None:
        raise TaskLoadError(
            f"{who} names the class {attribute!r}, which {module.__file__} does not have; name "
            "the task's class."
        )
    return cls  # type: ignore[no-any-return]


def check_task_class(cls: object) -> None:
    """Refuse what is no complete task.

    Raises:
        TaskLoadError: Naming the file and what is missing or wrong.
    """
    if not (inspect.isclass(cls) and issubclass(cls, Task)):
        raise TaskLoadError(
            f"{cls!r} is no task; it must be a subclass of lam_envs.tasks.base.Task."
        )
    where = f"the task class {cls.__name__} in {_source_file(cls)}"
    lacking = [name for name in _REQUIRED if not hasattr(cls, name)]
    lacking += sorted(getattr(cls, "__abstractmethods__", ()))
    if lacking:
        raise TaskLoadError(f"{where} is incomplete; add {', '.join(lacking)}.")
    if not isinstance(cls.name, str) or not _NAME.fullmatch(cls.name):
        raise TaskLoadError(
            f"{where} has the name {cls.name!r}; it must be words of small letters and digits "
            "with hyphens in between and a letter first, such as 'stack-blocks' or 'block-2'."
        )
    if not isinstance(cls.instruction, str) or not _WORD.search(cls.instruction.lower()):
        raise TaskLoadError(
            f"{where} has the instruction {cls.instruction!r}; say what to do in words with at "
            "least one letter a to z or digit, which are what a policy reads."
        )
    for low_name, high_name in _BOUNDS:
        low, high = getattr(cls, low_name), getattr(cls, high_name)
        if not _are_bounds(low, high, None if low_name == "reset_low" else 3):
            raise TaskLoadError(
                f"{where} has {low_name} {low!r} and {high_name} {high!r}; they must be tuples of "
                f"{'as many' if low_name == 'reset_low' else 'three'} finite numbers, none of the "
                "lower ones above the upper."
            )
    least = cls.min_goal_distance_m
    if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least < math.inf:
        raise TaskLoadError(
            f"{where} has min_goal_distance_m {least!r}; it must be metres, at least 0."
        )
    if least > 0 and cls.is_valid_reset is Task.is_valid_reset:
        cls.check_goal_distance()
    try:
        scene_path(cls.model_file)
    except SceneError as error:
        raise TaskLoadError(f"{where} cannot be loaded: {error}") from error


def source_files(task: Task) -> list[Path]:
    """Return the files of Python that a task of another package is written in.

    They are those of the whole package, or its module where it is in none; none for a task of
    lam_envs.
    """
    files: set[Path] = set()
    for cls in type(task).__mro__:
        root = cls.__module__.partition(".")[0]
        if root == "lam_envs" or not issubclass(cls, Task) or root not in sys.modules:
            continue
        folders = getattr(sys.modules[root], "__path__", None)
        if folders is None:
            files.add(Path(_source_file(cls)))
        for folder in folders or ():
            files.update(Path(folder).rglob("*.py"))
    return sorted(file for file in files if file.is_file())


def _source_file(cls: type) -> str:
    """Return the file that a class is written in, or its module's name."""
    module = sys.modules.get(cls.__module__)
    return str(getattr(module, "__file__", None) or cls.__module__)


def _are_bounds(low: object, high: object, length: int | None) -> bool:
    """Say whether two values are tuples of finite numbers of one length, the first not above."""
    if not (isinstance(low, tuple) and isinstance(high, tuple) and low):
        return False
    if len(low) != len(high) or (length is not None and len(low) != length):
        return False
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in low + high):
        return False
    return all(a <= b for a, b in zip(low, high, strict=True))
