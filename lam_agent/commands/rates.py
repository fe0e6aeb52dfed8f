"""Which tasks a checkpoint's policy can be run on: those that are there, at its control rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lam_agent.errors import ConfigError


def check_runnable(control_dt: float, tasks: Iterable[str]) -> None:
    """Refuse a task that is not there, or has another control rate than the policy's.

    Args:
        control_dt: Seconds between two actions of the policy.
        tasks: Tasks that the checkpoint names, or that were found already.

    Raises:
        ConfigError: Naming the first such task.
    """
    from lam_envs.errors import UnknownTaskError
    from lam_envs.tasks.registry import make_task

    for task in tasks:
        try:
            other = make_task(task).control_dt
        except UnknownTaskError as error:
            raise ConfigError(
                f"there is no task {task!r}, which the checkpoint learned; name the module that "
                "registers it by --import, or other tasks by --tasks."
            ) from error
        if not math.isclose(other, control_dt, rel_tol=1e-6):
            raise ConfigError(
                f"the policy acts every {control_dt} s, but {task} every {other} s; name tasks of "
                "the same control_dt."
            )
