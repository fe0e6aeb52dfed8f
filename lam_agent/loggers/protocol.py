"""What a logger is, and a fan-out that hands rows to several of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

LogValue = float | int | str | bytes | None

_LOG = logging.getLogger(__name__)


class Logger(Protocol):
    """Takes the rows of a run.

    The kinds of rows and their values:

    | kind | values |
    |---|---|
    | `training` | position, task, step, loss, learning_rate |
    | `validation` | position, task, step, loss, success |
    | `evaluation` | row, column, task, success |
    | `pretraining` | row (0 before the stream, 1 after it), task, success |
    | `first_frame` | task, camera, png (the bytes of a PNG file) |
    """

    def write(self, kind: str, **values: LogValue) -> None:
        """Take one row."""

    def close(self) -> None:
        """Write what is left."""


class FanOut:
    """Hands each row to every logger.

    A logger that fails in the middle of a run is named in a warning and left out from there on: a
    full disk or a lost connection of theirs does not cost the run.

    Args:
        loggers: The loggers; none: rows are ignored.
    """

    def __init__(self, loggers: Sequence[Logger] = ()) -> None:
        self.loggers = list(loggers)

    def write(self, kind: str, **values: LogValue) -> None:
        """Hand a row to every logger."""
        for logger in tuple(self.loggers):
            try:
                logger.write(kind, **values)
            except Exception as error:
                self._leave_out(logger, error)

    def close(self) -> None:
        """Close every logger; rows are ignored afterwards."""
        for logger in tuple(self.loggers):
            try:
                logger.close()
            except Exception as error:
                self._leave_out(logger, error)
        self.loggers.clear()

    def _leave_out(self, logger: Logger, error: Exception) -> None:
        """Warn of a logger that failed, and forget it."""
        self.loggers.remove(logger)
        _LOG.warning(
            "%s failed and is left out from here on; the run goes on: %s",
            type(logger).__name__,
            error,
        )
