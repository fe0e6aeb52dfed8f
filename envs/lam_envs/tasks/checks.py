"""Refuse tasks, which others write, too: what the arm cannot do, and what is not as `Task` says."""

from __future__ import annotations

import math

import torch

from lam_envs.checks import check_cameras
from lam_envs.errors import InvalidSettingError, TaskLoadError
from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.sawyer import ACTION_SIZE, NUM_SUBSTEPS


def check_drivable(task: Task, timestep: float) -> None:
    """Refuse a task with other actions, cameras or another control rate than it can get.

    Args:
        task: The task.
        timestep: Seconds of a physics step of its scene.

    Raises:
        InvalidSettingError: Naming the task and what does not fit.
    """
    check_cameras(task.cameras)
    if task.action_size != ACTION_SIZE:
        raise InvalidSettingError(
            f"{task.name} has action_size {task.action_size}; the Sawyer arm takes {ACTION_SIZE}: "
            "hand displacement xyz and finger effort."
        )
    actual = timestep * NUM_SUBSTEPS
    if not math.isclose(actual, task.control_dt, rel_tol=1e-6):
        raise InvalidSettingError(
            f"{task.name} has control_dt {task.control_dt} s, but {NUM_SUBSTEPS} physics steps of "
            f"its scene are {actual:g} s; change control_dt, or the timestep in {task.model_file}."
        )


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
