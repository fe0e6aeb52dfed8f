"""What a task gives back, refused where it is not what `Task` says: tasks of others may differ."""

from __future__ import annotations

import torch

from lam_envs.errors import TaskLoadError
from lam_envs.tasks.base import Outcome


def check_outcome(task: str, outcome: object, num_worlds: int) -> None:
    """Refuse an outcome of another kind, shape or type; no number is read.

    Args:
        task: Name of the task.
        outcome: What its `evaluate` returned.
        num_worlds: Number of worlds.

    Raises:
        TaskLoadError: Naming what is wrong.
    """
    if not isinstance(outcome, Outcome):
        raise TaskLoadError(
            f"evaluate of {task} returns a {type(outcome).__name__}; it must return an Outcome."
        )
    check_rows(task, "the reward of evaluate", outcome.reward, (num_worlds,))
    check_rows(task, "is_success of evaluate", outcome.is_success, (num_worlds,))
    if outcome.is_success.dtype != torch.bool:
        raise TaskLoadError(
            f"is_success of evaluate of {task} has type {outcome.is_success.dtype}; it must be "
            "torch.bool."
        )


def check_rows(task: str, name: str, value: object, shape: tuple[int, ...]) -> None:
    """Refuse what is no tensor of a shape.

    Raises:
        TaskLoadError: Naming what is wrong.
    """
    found = value.shape if isinstance(value, torch.Tensor) else type(value).__name__
    if found != shape:
        words = tuple(found) if isinstance(found, torch.Size) else found
        raise TaskLoadError(
            f"{name} of {task} gives {words}; it must be a tensor of shape {shape}."
        )
