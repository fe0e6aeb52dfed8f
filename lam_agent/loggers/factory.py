"""Make the loggers that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from lam_agent.config import RunConfig, to_plain
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
    max_steps = config.max_steps
    loggers: list[Logger] = []
    if "tensorboard" in config.logger:
        from lam_agent.loggers.tensorboard_logger import TensorBoardLogger

        last_step = position * max_steps + step
        loggers.append(TensorBoardLogger(folder / "tensorboard", max_steps, last_step))
    if "wandb" in config.logger:
        from lam_agent.loggers.wandb_logger import WandbLogger

        loggers.append(WandbLogger(folder, to_plain(config), max_steps))
    return FanOut(loggers)
