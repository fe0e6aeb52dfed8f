"""Refuse tasks, which others write, too: what the arm cannot do, and what is not as `Task` says."""

from __future__ import annotations

import math

import torch

from lam_envs.checks import check_cameras
from lam_envs.errors import InvalidSettingError, TaskLoadError
from lam_envs.instability import where_not_finite
from lam_envs.tasks.base import Outcome, Task
from lam_envs.tasks.sawyer import ACTION_SIZE, NUM_SUBSTEPS

_POSE_SIZES = (0, 7, 14)
"""Entries of the poses of no object, of one, and of two."""


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


def check_poses(task: str, poses: object, num_worlds: int) -> None:
    """Refuse what are no poses of one object, of two, or of none.

    Args:
        task: Name of the task.
        poses: What its `object_poses` returned.
        num_worlds: Number of worlds.

    Raises:
        TaskLoadError: Naming what is wrong.
    """
    found = _shape_of(poses)
    if found not in [(num_worlds, size) for size in _POSE_SIZES]:
        raise TaskLoadError(
            f"object_poses of {task} gives {found}; it must be a tensor with the position and the "
            f"quaternion of each object, of shape ({num_worlds}, 7) for one, ({num_worlds}, 14) "
            f"for two and ({num_worlds}, 0) for none."
        )


def check_rows(task: str, name: str, value: object, shape: tuple[int, ...]) -> None:
    """Refuse what is no tensor of a shape.

    Raises:
        TaskLoadError: Naming what is wrong.
    """
    found = _shape_of(value)
    if found != shape:
        raise TaskLoadError(
            f"{name} of {task} gives {found}; it must be a tensor of shape {shape}."
        )


def _shape_of(value: object) -> tuple[int, ...] | str:
    """Return the shape of a tensor, or the type of what is none."""
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__


class FiniteNumbers:
    """Refuses numbers of a task that are not finite: at once, or when it is asked.

    Args:
        task: Name of the task.
        is_deferred: Whether it notes them on their device, which is not waited for, until `take`.
    """

    def __init__(self, task: str, *, is_deferred: bool) -> None:
        self._task = task
        self._is_deferred = is_deferred
        self._noted: dict[str, torch.Tensor] = {}

    def see(self, name: str, values: torch.Tensor, is_left_out: torch.Tensor) -> None:
        """Refuse, or note, numbers that are not finite.

        Args:
            name: What they are, with the method of the task that gave them.
            values: Of all worlds, shape (N, ...).
            is_left_out: Worlds whose numbers mean nothing, shape (N,), bool.

        Raises:
            TaskLoadError: Naming the method and a world; never where checks are deferred.
        """
        rows = values.reshape(len(values), -1)
        if not self._is_deferred:
            worlds = [world for world in where_not_finite(rows) if not bool(is_left_out[world])]
            if worlds:
                raise self._error(name, worlds[0])
            return
        is_wrong = ~rows.isfinite().all(1) & ~is_left_out
        self._noted[name] = is_wrong | self._noted.get(name, is_wrong)

    def take(self) -> TaskLoadError | None:
        """Return the error of what was noted since the last call, or None; waits for the device."""
        noted, self._noted = self._noted, {}
        for name, is_wrong in noted.items():
            if bool(is_wrong.any()):
                return self._error(name, int(is_wrong.nonzero()[0]))
        return None

    def _error(self, name: str, world: int) -> TaskLoadError:
        return TaskLoadError(
            f"{name} of {self._task} gives NaN or infinity in world {world}; it must give finite "
            "numbers."
        )
