"""Who demonstrates a task: a trained teacher where there is one, else the scripted one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lam_agent.files import file_digest, file_stamp
from lam_agent.teachers.scripted import scripted_teacher
from lam_agent.teachers.trained import load_teacher, teacher_file
from lam_agent.types import Teacher


def teacher_of(task: str, folder: Path | None) -> Teacher:
    """Return the teacher of a task.

    Args:
        task: Name of the task.
        folder: Folder of trained teachers; None for none.

    Raises:
        TeacherError: The folder holds no teachers, or that of the task is damaged.
    """
    path = None if folder is None else teacher_file(folder, task)
    return scripted_teacher if path is None else load_teacher(path, task)


def teacher_digests(tasks: Iterable[str], folder: Path | None) -> dict[str, str]:
    """Return the SHA-256 of the trained teacher of each task that has one.

    Raises:
        TeacherError: The folder holds no teachers, or one of them is damaged.
    """
    digests = {}
    for task in dict.fromkeys(tasks):
        path = None if folder is None else teacher_file(folder, task)
        if path is not None:
            digests[task] = _digest(path.resolve(), file_stamp(path), task)
    return digests


@cache
def _digest(path: Path, stamp: tuple[int, ...], task: str) -> str:
    """Return the SHA-256 of a task's teacher, which is checked; one that was changed anew."""
    load_teacher(path, task)
    return file_digest(path)
