"""Make the loggers that a configuration asks for."""

from __future__ import annotations

import shutil
from pathlib import Path

from lam_agent.config import RunConfig, to_plain
from lam_agent.errors import LamAgentError
from lam_agent.loggers.protocol import FanOut, Logger


def make_loggers(config: RunConfig, folder: Path, *, position: int = 0, step: int = 0) -> FanOut:
    """Make the loggers beside metrics.jsonl.

    Args:
        config: The run's configuration, which names them; by default there are none.
        folder: The run folder.
        position: Where a run goes on: the first position that is not done.
        step: Gradient steps that are done at that position.

    Raises:
        MissingExtraError: The package of a logger is not installed.
        LoggerError: A logger cannot start.
    """
    loggers: list[Logger] = []
    folders = [folder / name for name in config.logger if not (folder / name).exists()]
    try:
        for name in config.logger:
            loggers.append(_make(name, config, folder, position, step))
    except LamAgentError:
        FanOut(loggers).close()
        for made in folders:  # A refused run leaves nothing behind.
            shutil.rmtree(made, ignore_errors=True)
        raise
    return FanOut(loggers)


def _make(name: str, config: RunConfig, folder: Path, position: int, step: int) -> Logger:
    """Make one logger; its library is loaded only here."""
    max_steps = config.max_steps
    if name == "tensorboard":
        from lam_agent.loggers.tensorboard_logger import TensorBoardLogger

        return TensorBoardLogger(folder / name, max_steps, position * max_steps + step)
    from lam_agent.loggers.wandb_logger import WandbLogger

    return WandbLogger(folder, to_plain(config), max_steps)
