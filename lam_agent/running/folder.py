"""The run folder: where everything that a run writes lies."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lam_agent.config import RunConfig, to_plain
from lam_agent.errors import RunFolderError
from lam_agent.files import is_temporary, locked_folder, write_text_atomically


class RunFolder:
    """Paths of a run.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.metrics = path / "metrics.jsonl"
        self.results = path / "results.json"
        self.report = path / "report.html"
        self.videos = path / "videos"
        self.checkpoints = path / "checkpoints"
        self._made = [path]

    @staticmethod
    def check_free(config: RunConfig) -> None:
        """Refuse an output folder that exists, before anything slow begins.

        Raises:
            RunFolderError: The folder exists already.
        """
        if config.output_dir is not None and config.output_dir.exists():
            raise _exists_already(config.output_dir)

    @classmethod
    def create(cls, config: RunConfig) -> RunFolder:
        """Make a new run folder and write the resolved configuration into it.

        Raises:
            RunFolderError: The folder exists already, or cannot be made.
        """
        path = config.output_dir or _new_name(config)
        made = [parent for parent in (path, *path.parents) if not parent.exists()]
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise _exists_already(path) from error
        except OSError as error:
            raise RunFolderError(
                f"the output folder {path} cannot be made ({error.strerror}); "
                "choose another --output-dir."
            ) from error
        folder = cls(path)
        folder._made = made
        folder.write_config(config)
        return folder

    def write_config(self, config: RunConfig) -> None:
        """Write the resolved configuration."""
        write_text_atomically(self.config, dump_config(config))

    def discard(self) -> None:
        """Remove a new folder, of which nothing but the configuration is written."""
        self.config.unlink()
        with suppress(OSError):  # Another run may have come to stand beside this one.
            for folder in self._made:
                folder.rmdir()

    def recorded(self, name: str, at_least: int) -> int | None:
        """Return a number that `environment.json` holds; None if it is not recorded.

        Args:
            name: `threads` or `workers`, which the run computed with.
            at_least: Smallest number that it can be.
        """
        try:
            value = json.loads(self.environment.read_text(encoding="utf-8"))[name]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return value if isinstance(value, int) and value >= at_least else None

    def locked(self, wait: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Keep other processes from writing into the folder while the block runs.

        Args:
            wait: Called again and again while another process does; None to raise an error.

        Raises:
            RunFolderError: Another process does.
        """
        return locked_folder(self.path, wait)

    def clean(self) -> None:
        """Remove temporary files and folders that a killed process left behind."""
        for path in [*self.path.glob(".*"), *self.checkpoints.rglob(".*")]:
            if not (is_temporary(path) and os.path.lexists(path)):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def checkpoint(self, position: int, task: str) -> Path:
        """Return the checkpoint folder of an experience."""
        return self.checkpoints / f"{position:03d}_{task}"

    def point_last_at(self, checkpoint: Path) -> None:
        """Let `checkpoints/last` point at a checkpoint."""
        temporary = self.checkpoints / ".last.part"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(checkpoint.name, target_is_directory=True)
        os.replace(temporary, self.checkpoints / "last")  # noqa: PTH105 (a symlink, not its target)


def _new_name(config: RunConfig) -> Path:
    """Return a folder that is not there yet, named after the date, the strategy and the tasks."""
    name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{config.strategy}_{'-'.join(config.tasks)}"[:120]
    path, number = Path("runs") / name, 1
    while path.exists():  # Another run began in the same second.
        number += 1
        path = Path("runs") / f"{name}_{number}"
    return path


def _exists_already(path: Path) -> RunFolderError:
    return RunFolderError(
        f"the output folder {path} exists already; choose another --output-dir, "
        f"or go on with it by --resume {path}."
    )


def dump_config(config: RunConfig) -> str:
    """Return a configuration as YAML; `--config` on it repeats the run, in a new folder."""
    plain: dict[str, Any] = to_plain(config)
    plain["output_dir"] = None
    text: str = yaml.safe_dump(plain, sort_keys=False)
    return text
