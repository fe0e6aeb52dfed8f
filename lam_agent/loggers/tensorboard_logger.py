"""TensorBoardLogger: event files in a run's folder `tensorboard`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lam_agent.errors import MissingExtraError
from lam_agent.loggers.protocol import LogValue
from lam_agent.loggers.rows import picture, scalars, stream_step

_FLUSH_S = 5
"""Seconds of rows that a killed process loses, at most."""


class TensorBoardLogger:
    """Writes TensorBoard's event files.

    Args:
        folder: Folder of the event files; those that are there are gone on with.
        max_steps: Gradient steps for a task, at most.
        last_step: Last step of the stream that is kept from an earlier part of the run; TensorBoard
            hides what that part wrote behind it.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, max_steps: int, last_step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "the logger tensorboard needs the package tensorboard, which is not installed; "
                "run pip install tensorboard."
            ) from error
        self._max_steps = max_steps
        self._is_new = not any(folder.glob("events.*"))
        purge_step = None if self._is_new else last_step + 1
        self._writer = SummaryWriter(str(folder), purge_step=purge_step, flush_secs=_FLUSH_S)

    def write(self, kind: str, **values: LogValue) -> None:
        """Write the numbers of a row, or a picture.

        The first frames of a run that goes on are there already and are not written again.
        """
        step = stream_step(values, self._max_steps)
        for name, value in scalars(kind, values).items():
            self._writer.add_scalar(name, value, step)
        found = picture(kind, values) if self._is_new else None
        if found is not None:
            self._writer.add_image(found[0], np.asarray(found[1]), step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left and close the file."""
        self._writer.close()
