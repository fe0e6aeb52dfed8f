"""Which tasks have the same scene: who has seen one of them has seen the others'."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lam_envs.mjcf import assets_folder, scene_path
from lam_envs.tasks.base import Task
from lam_envs.tasks.registry import make_task

_PACKAGE = Path(__file__).parents[1]
_INCLUDED = re.compile(r"""<include\s+file\s*=\s*["']([^"'/]+)["']""")
_SCENES = "sawyer_xyz"


def scene_name(task: Task) -> str:
    """Return the MJCF file of a task's scene, in words that are the same on every machine.

    It is below metaworld's `assets`, below the folder of `lam_envs`, or an absolute path.
    """
    path = Path(task.model_file)
    if path.is_relative_to(_PACKAGE):
        return path.relative_to(_PACKAGE.parent).as_posix()
    return path.as_posix()


def shared_scenes(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return name of each task -> the other tasks that have the same MJCF file.

    A file that includes one of metaworld's scenes, to add sensors, counts as that scene.

    Args:
        names: Names of the tasks to compare.
    """
    files = {name: _basis(scene_path(make_task(name).model_file)) for name in names}
    return {
        name: tuple(other for other in files if other != name and files[other] == file)
        for name, file in files.items()
    }


def _basis(path: Path) -> Path:
    """Return the scene of metaworld's that an MJCF file includes as a whole, or the file."""
    assets = assets_folder()
    for included in _INCLUDED.findall(path.read_text(encoding="utf-8")):
        if assets is not None and (assets / _SCENES / included).is_file():
            return _basis(assets / _SCENES / included)
    return path.resolve()
