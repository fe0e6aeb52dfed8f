"""The files that a command makes for tasks: refused where they are there already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lam_agent.errors import ConfigError


def free_files(folder: Path, tasks: Iterable[str]) -> dict[str, Path]:
    """Return the file `<task>.safetensors` of each task, before anything slow begins.

    Raises:
        ConfigError: One is there already, or the folder is none.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"output is {folder}, which is no folder; choose another --output.")
    files = {task: folder / f"{task}.safetensors" for task in tasks}
    for path in files.values():
        if path.exists():
            raise ConfigError(f"{path} exists already; remove it or choose another --output.")
    return files
