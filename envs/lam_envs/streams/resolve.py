"""From the names of tasks and streams to tasks. Importing this loads neither torch nor MuJoCo."""

from __future__ import annotations

from collections.abc import Iterable

from lam_envs.errors import UnknownTaskError
from lam_envs.names import STREAMS
from lam_envs.tasks.registry import check_task_name, task_names
from lam_envs.words import nearest


def resolve_stream(names: Iterable[str]) -> tuple[str, ...]:
    """Put the tasks of a stream where its name stands.

    Args:
        names: Names of tasks and of streams, in any mixture.

    Raises:
        UnknownTaskError: A name is neither; with the nearest name and the lists of all.
        TaskLoadError: Two packages bring a task of this name.
    """
    tasks = task_names()
    resolved: list[str] = []
    for name in names:
        if name not in STREAMS and name not in tasks:
            raise UnknownTaskError(
                f"there is no task {name!r}{nearest(name, (*tasks, *STREAMS))}; "
                f"the tasks are {', '.join(tasks)}; the task streams are {', '.join(STREAMS)}."
            )
        if name not in STREAMS:
            check_task_name(name)
        resolved.extend(STREAMS.get(name, (name,)))
    return tuple(resolved)
