"""Processes side by side, so many at a time; a signal that stops this one reaches all of them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

from lam_agent.errors import Interrupted
from lam_agent.interrupts import SIGNALS

_POLL_S = 0.05

What = TypeVar("What")


@dataclass(frozen=True)
class Job(Generic[What]):
    """A process that is to run.

    Attributes:
        what: What it is for.
        command: Program and arguments.
        log: File to whose end its words go; None where they go where those of this process go.
    """

    what: What
    command: list[str]
    log: Path | None = None


def run_jobs(
    jobs: Iterable[Job[What]],
    most: int,
    begins: Callable[[Job[What]], None],
    ends: Callable[[Job[What], int], None],
) -> None:
    """Run processes in their order, some at a time.

    Args:
        jobs: The processes.
        most: How many run at a time.
        begins: Called before one begins.
        ends: Called with the exit status of one that has ended. Where it raises, no other begins,
            and those that run end first.

    Raises:
        Interrupted: A signal stopped this process, or one of the others; all have ended.
    """
    waiting = deque(jobs)
    running: dict[subprocess.Popen[bytes], Job[What]] = {}
    caught: list[int] = []
    told: set[subprocess.Popen[bytes]] = set()
    is_terminated = False
    failure: Exception | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        nonlocal is_terminated
        caught.append(number)
        is_terminated = is_terminated or number == signal.SIGTERM
        if number == signal.SIGTERM:  # Ctrl-C reaches them by itself.
            for process in running:
                told.add(process)
                process.send_signal(number)

    kept = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        while running or (waiting and not caught and failure is None):
            while waiting and len(running) < most and not caught and failure is None:
                job = waiting.popleft()
                begins(job)
                running[_start(job)] = job
            for process in running if is_terminated else ():
                if process not in told:  # It was starting when the signal came.
                    told.add(process)
                    process.send_signal(signal.SIGTERM)
            ended = [process for process in running if process.poll() is not None]
            for process in ended:
                job, status = running.pop(process), process.returncode
                by = abs(status) - 128 if status > 0 else -status
                if by in SIGNALS:
                    caught.append(by)  # Somebody may have stopped it alone.
                    continue
                try:
                    ends(job, status)
                except Exception as error:
                    failure = failure or error
            if not ended:
                time.sleep(_POLL_S)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    if caught:
        raise Interrupted(caught[0])
    if failure is not None:
        raise failure


def _start(job: Job[What]) -> subprocess.Popen[bytes]:
    """Start a process."""
    if job.log is None:
        return subprocess.Popen(job.command)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as words:
        return subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT
        )
