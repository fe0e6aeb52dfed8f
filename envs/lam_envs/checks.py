"""Checks of what environments are asked for: counts, cameras, and tasks that the arm can do."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lam_envs.errors import InvalidSettingError
from lam_envs.scene import CAMERAS
from lam_envs.tasks.base import Task
from lam_envs.tasks.sawyer import ACTION_SIZE, NUM_SUBSTEPS


def check_counts(**counts: int | None) -> None:
    """Refuse counts that are no whole numbers or below 1; `num_threads` may be None.

    Raises:
        InvalidSettingError: Naming the setting.
    """
    for name, count in counts.items():
        if count is None and name == "num_threads":
            continue
        if not isinstance(count, int | np.integer) or isinstance(count, bool):
            raise InvalidSettingError(f"{name} is {count!r}; it must be a whole number.")
        if count < 1:
            raise InvalidSettingError(f"{name} is {count}; it must be at least 1.")


def check_cameras(cameras: Sequence[str]) -> None:
    """Refuse a camera that scenes do not have.

    Raises:
        InvalidSettingError: Naming the camera and those that there are.
    """
    if isinstance(cameras, str) or not isinstance(cameras, Sequence):
        raise InvalidSettingError(
            f"cameras is {cameras!r}; it must be a list of {', '.join(CAMERAS)}."
        )
    for camera in cameras:
        if camera not in CAMERAS:
            raise InvalidSettingError(
                f"there is no camera {camera!r}; the cameras are {', '.join(CAMERAS)}."
            )


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
