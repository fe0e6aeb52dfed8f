"""Processes side by side: how many, in which order, what a failure and a signal do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lam_agent.benchmark import jobs as jobs_module
from lam_agent.benchmark.jobs import Job, run_jobs
from lam_agent.errors import BenchmarkError, Interrupted


def job(name: str, code: str, log: Path | None = None) -> Job[str]:
    return Job(name, [sys.executable, "-c", code], log)


class Seen:
    """What was called, and how many ran at a time at most."""

    def __init__(self, failing: int | None = None) -> None:
        self.begun: list[str] = []
        self.ended: list[tuple[str, int]] = []
        self.most = 0
        self.failing = failing

    def begins(self, job: Job[str]) -> None:
        self.begun.append(job.what)
        self.most = max(self.most, len(self.begun) - len(self.ended))

    def ends(self, job: Job[str], status: int) -> None:
        self.ended.append((job.what, status))
        if status and status == self.failing:
            raise BenchmarkError(job.what)


def test_so_many_run_at_a_time_and_words_are_appended_to_logs(tmp_path: Path) -> None:
    seen, log = Seen(), tmp_path / "logs" / "a.log"
    # Each word in one write: two processes append at a time.
    code = "import sys; sys.stdout.write('out\\n'); sys.stderr.write('err\\n'); sys.exit({})"
    jobs = [job(str(n), code.format(n), log) for n in range(5)]
    run_jobs(jobs, 2, seen.begins, seen.ends)
    assert seen.begun == list("01234") and seen.most == 2
    assert sorted(seen.ended) == [(str(n), n) for n in range(5)]
    assert sorted(log.read_text().split()) == ["err"] * 5 + ["out"] * 5


def test_after_a_failure_none_begins_and_those_that_run_end(tmp_path: Path) -> None:
    seen, made = Seen(failing=3), tmp_path / "made"
    slow = job("slow", f"import time, pathlib; time.sleep(1); pathlib.Path({str(made)!r}).touch()")
    jobs = [job("bad", "raise SystemExit(3)"), slow, job("never", "")]
    with pytest.raises(BenchmarkError, match="bad"):
        run_jobs(jobs, 2, seen.begins, seen.ends)
    assert seen.begun == ["bad", "slow"] and made.exists()
    assert seen.ended == [("bad", 3), ("slow", 0)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_and_none_begins(tmp_path: Path, number: signal.Signals) -> None:
    ready = [tmp_path / "0", tmp_path / "1"]
    # Python sees a signal that comes just before a sleep only behind it: so each sleep is short.
    code = (
        "import pathlib, time; pathlib.Path({!r}).touch(); [time.sleep(0.05) for _ in range(1200)]"
    )
    seen = Seen()
    jobs = [job(path.name, code.format(str(path))) for path in ready]
    begun: list[int] = []

    def stop() -> None:
        deadline = time.monotonic() + 30
        while not all(path.exists() for path in ready) and time.monotonic() < deadline:
            time.sleep(0.05)
        begun.append(len(seen.begun))
        if number == signal.SIGINT:  # A terminal sends it to all processes.
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                os.kill(int(child), number)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop)
    thread.start()
    start = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        run_jobs([*jobs, job("never", "")], 2, seen.begins, seen.ends)
    thread.join()
    assert caught.value.number == number and time.monotonic() - start < 40
    assert seen.begun == ["0", "1"] and begun == [2]


def test_a_signal_that_comes_while_one_starts_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    start = jobs_module._start

    def start_late(job: Job[str]) -> subprocess.Popen[bytes]:
        process = start(job)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(jobs_module, "_start", start_late)
    begun, code = time.monotonic(), "import time; [time.sleep(0.05) for _ in range(1200)]"
    with pytest.raises(Interrupted):
        run_jobs([job("long", code), job("never", "")], 2, Seen().begins, Seen().ends)
    assert time.monotonic() - begun < 40


def test_one_that_somebody_stops_alone_stops_the_rest() -> None:
    seen = Seen()
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    with pytest.raises(Interrupted):
        run_jobs([job("stopped", code), job("never", "")], 1, seen.begins, seen.ends)
    assert seen.begun == ["stopped"] and not seen.ended
