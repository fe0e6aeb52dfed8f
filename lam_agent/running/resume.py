"""Where a run folder stands: what is measured, what is learned, where training broke off."""

from __future__ import annotations

from dataclasses import dataclass

from lam_agent.continual.snapshot import (
    Snapshot,
    load_snapshot,
    remove_snapshot,
    snapshot_file,
)
from lam_agent.errors import RunFolderError
from lam_agent.results import Results, read_results
from lam_agent.running.folder import RunFolder


@dataclass(frozen=True)
class ResumePoint:
    """Where a run stands.

    Attributes:
        results: What was measured; None if nothing was.
        trained: The last experience whose training is over; None if there is none.
        training: The experience after it in which training broke off; where workers had not yet
            measured the one before, it may be over, too. None if there is none.
    """

    results: Results | None = None
    trained: Snapshot | None = None
    training: Snapshot | None = None

    @property
    def latest(self) -> Snapshot | None:
        """Return the newer of the two snapshots."""
        return self.training or self.trained


def find_resume_point(folder: RunFolder, tasks: tuple[str, ...], first: int = 0) -> ResumePoint:
    """Read where a run stands.

    Args:
        folder: The run folder.
        tasks: The stream.
        first: Position of the first experience that is trained.

    Raises:
        RunFolderError: The stream began with other tasks, or a file is missing.
        ResultsError: The results are damaged.
        CheckpointError: A snapshot is damaged.
    """
    results = read_results(folder.results) if folder.results.exists() else None
    done = results.experiences_done if results else 0
    if results and results.tasks != tasks[: len(results.tasks)]:
        raise RunFolderError(
            f"{folder.path} learned {','.join(results.tasks)}; it cannot go on with "
            f"{','.join(tasks)}, which must begin with the same tasks."
        )
    last = None
    if done:
        last = load_snapshot(folder.checkpoint(done - 1, tasks[done - 1]), is_needed=True)
    if done and last is None:
        path = snapshot_file(folder.checkpoint(done - 1, tasks[done - 1]))
        raise RunFolderError(
            f"{path} is missing; put it back, or start the run anew, because the next experience "
            "begins there."
        )
    position = max(done, first)
    now = None
    if position < len(tasks):
        now = load_snapshot(folder.checkpoint(position, tasks[position]))
    if now is not None and now.is_trained:
        after = None
        if position + 1 < len(tasks):
            after = load_snapshot(folder.checkpoint(position + 1, tasks[position + 1]))
        return ResumePoint(results, trained=now, training=after)
    return ResumePoint(results, trained=last, training=now)


def remove_old_snapshots(folder: RunFolder, tasks: tuple[str, ...], done: int) -> None:
    """Remove the snapshots that `find_resume_point` never reads again; they are most of a run.

    Args:
        folder: The run folder.
        tasks: The stream.
        done: Experiences that are done as its results, which are on the disk, say. The snapshot of
            the last of them stays: the next one begins there, also where the stream grows later.
    """
    for position in range(done - 1):
        remove_snapshot(folder.checkpoint(position, tasks[position]))
