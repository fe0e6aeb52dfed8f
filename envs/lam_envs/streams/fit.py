"""Whether the tasks of a stream fit together: one policy has one action space, rate and view."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lam_envs.errors import StreamFitError
from lam_envs.scene import load_model
from lam_envs.tasks.base import Task
from lam_envs.tasks.checks import check_drivable
from lam_envs.tasks.loading import source_files
from lam_envs.tasks.registry import make_task

_SHARED: tuple[tuple[str, str, Callable[[Task], str]], ...] = (
    ("action spaces", "action_size", lambda task: f"{task.action_size} entries"),
    ("control rates", "control_dt", lambda task: f"{task.control_dt} s a step"),
    ("cameras", "cameras", lambda task: ", ".join(sorted(task.cameras)) or "none"),
)
"""What tasks must share: in words, its attribute, and how a task has it."""


def check_stream_fit(names: Iterable[str]) -> None:
    """Refuse tasks that cannot share a policy, and those whose scene cannot be loaded.

    Args:
        names: Names of the tasks.

    Raises:
        StreamFitError: Naming what they do not share, which tasks, and what to do.
        LamEnvsError: A task or a scene cannot be loaded.
    """
    tasks = [make_task(name) for name in dict.fromkeys(names)]
    for words, attribute, value_of in _SHARED:
        groups: dict[str, list[str]] = {}
        for task in tasks:
            groups.setdefault(value_of(task), []).append(task.name)
        if len(groups) > 1:
            parts = "; ".join(f"{', '.join(members)}: {value}" for value, members in groups.items())
            raise StreamFitError(
                f"the task stream mixes {words} ({parts}); give all of its tasks the same "
                f"{attribute}, or run a stream for each."
            )
    for task in tasks:
        if source_files(task):  # Scenes of lam_envs are tested; compiling them takes a while.
            check_drivable(task, float(load_model(task.model_file).opt.timestep))
