"""WandbLogger: a run of Weights & Biases, offline unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lam_agent.errors import LoggerError, MissingExtraError, one_line
from lam_agent.files import write_text_atomically
from lam_agent.loggers.protocol import LogValue
from lam_agent.loggers.rows import picture, scalars, stream_step

_AXIS = "stream_step"


class WandbLogger:
    """Writes a Weights & Biases run: offline, without account, network or prompt by default.

    Args:
        folder: The run folder; the files go to its folder `wandb`.
        config: The run's configuration as plain values.
        max_steps: Gradient steps for a task, at most.

    Raises:
        MissingExtraError: wandb is not installed.
        LoggerError: wandb refuses to start.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], max_steps: int) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError(
                "the logger wandb needs the package wandb, which is not installed; "
                "run pip install wandb."
            ) from error
        self._max_steps = max_steps
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        identity = folder / "wandb" / "run_id.txt"
        self._is_new = not identity.is_file()
        if self._is_new:
            write_text_atomically(identity, secrets.token_hex(4))
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "lam_agent"),
                name=folder.resolve().name,
                id=identity.read_text(encoding="utf-8").strip(),
                dir=str(folder),
                mode=mode,
                # Offline files of one id are joined when they are synchronised.
                resume="allow" if mode == "online" else None,
                config=dict(config),
                settings=wandb.Settings(
                    console="off", silent=True, disable_code=True, disable_git=True
                ),
            )
        except Exception as error:  # wandb raises errors of many kinds.
            raise LoggerError(
                f"the logger wandb cannot start in mode {mode!r} ({one_line(error)}); "
                "set WANDB_MODE=offline or leave the logger away."
            ) from error
        self._image = wandb.Image
        self._run.define_metric("*", step_metric=_AXIS)

    def write(self, kind: str, **values: LogValue) -> None:
        """Log the numbers of a row, or a picture.

        The first frames of a run that goes on are there already and are not written again.
        """
        row: dict[str, Any] = dict(scalars(kind, values))
        found = picture(kind, values) if self._is_new else None
        if found is not None:
            row[found[0]] = self._image(found[1])
        if row:
            self._run.log({**row, _AXIS: stream_step(values, self._max_steps)})

    def close(self) -> None:
        """Write what is left and end the run."""
        self._run.finish()
