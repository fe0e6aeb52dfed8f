"""Workers: the same numbers whoever measures, and a run that outlives its workers, not they it."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.config import EvalConfig, PolicyConfig, RunConfig
from lam_agent.errors import ConfigError, Interrupted, WorkerError
from lam_agent.evaluation.evaluate import Evaluation, evaluate
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.run import parse
from lam_agent.running.folder import RunFolder
from lam_agent.running.rows import RowEvaluator
from lam_agent.running.runner import _with_shared_cores
from lam_agent.workers import Weights, evaluation_workers, share_cores, single_thread
from lam_agent.workers.messages import (
    evaluation_from_plain,
    evaluation_to_plain,
    receive,
    send,
)
from lam_envs.cores import available_cores

TinyRun = tuple[Path, str]
RunCommand = Callable[..., list[str]]
AssertSameRun = Callable[..., None]

pytestmark = pytest.mark.usefixtures("kept_threads")


@pytest.fixture(scope="module")
def worker_run(
    tmp_path_factory: pytest.TempPathFactory, tiny_arguments: list[str], run_command: RunCommand
) -> Path:
    """Run the README's main command with tiny sizes and a worker; return its folder."""
    folder = tmp_path_factory.mktemp("runs") / "worker"
    command = run_command(*tiny_arguments, "--workers", "1", "--output-dir", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "test success by --workers 1" in done.stdout and "Warning" not in done.stdout
    return folder


def children(process: int) -> set[int]:
    """Return the processes that a process has started."""
    command = ["ps", "-o", "pid=", "--ppid", str(process)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {int(word) for word in done.stdout.split()}


def is_alive(process: int) -> bool:
    command = ["ps", "-o", "stat=", "-p", str(process)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("", "Z", "Zs")


# The same numbers ------------------------------------------------------------------------------


def test_a_run_with_a_worker_measures_what_one_without_does(
    tiny_run: TinyRun, worker_run: Path, assert_same_run: AssertSameRun
) -> None:
    assert_same_run(worker_run, tiny_run[0], in_order=False)
    for checkpoint in (worker_run / "checkpoints").glob("0*"):
        content = json.loads((checkpoint / "pretrained_model" / "config.json").read_text())
        assert content["protocol"]["threads"] == 1


@pytest.mark.parametrize("mode", ["trunk", "lora"])
def test_a_worker_measures_policies_with_factors_and_without(
    small_sizes: dict[str, int], mode: str
) -> None:
    sizes = PolicyConfig(init="none", **small_sizes)  # type: ignore[arg-type]
    config = RunConfig(policy=sizes, adapt=mode, eval=EvalConfig(episodes=3, horizon=8), workers=1)
    policies = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        policy = VisualActionPolicy(config.policy)
        if seed:
            freeze(policy, mode, rank=config.adaptation.rank, seed=5)
            torch.nn.init.normal_(next(p for p in policy.parameters() if p.requires_grad))
        policies.append(policy)
    with evaluation_workers(config) as workers, single_thread():
        assert workers is not None
        weights = [Weights.of(policy) for policy in policies]
        cells = [(i, task) for i in (0, 1, 0) for task in ("reach", "push")]
        futures = [workers.submit(weights[i], task) for i, task in cells]
        for (i, task), future in zip(cells, futures, strict=True):
            expected = evaluate(policies[i], task, episodes=3, split="test", horizon=8, threads=1)
            assert torch.equal(future.result().reward, expected.reward)
        assert 100 < workers.peak_memory_mb < 10_000


# Interrupted -----------------------------------------------------------------------------------


def test_a_run_that_is_killed_beside_its_worker_goes_on_to_the_same_end(
    worker_run: Path,
    tiny_arguments: list[str],
    run_command: RunCommand,
    assert_same_run: AssertSameRun,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "killed"
    sign = folder / "checkpoints/001_push/training_state/snapshot.safetensors"
    command = run_command(*tiny_arguments, "--workers", "1", "--output-dir", str(folder))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not sign.exists():
            time.sleep(0.002)
        workers = children(process.pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
    assert workers
    assert main(["run", "--resume", str(folder)]) == 0
    assert_same_run(folder, worker_run)
    deadline = time.monotonic() + 60
    while any(is_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its run"
        time.sleep(0.1)


@pytest.mark.parametrize(("strategy", "workers"), [("replay", 1), ("cumulative", 0)])
def test_a_run_that_stops_before_a_row_is_measured_goes_on_to_the_same_end(
    tiny_arguments: list[str],
    assert_same_run: AssertSameRun,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    strategy: str,
    workers: int,
) -> None:
    """With a worker, two experiences are trained by then, and neither is saved."""
    arguments = [*tiny_arguments, "--strategy", strategy, "--workers", str(workers)]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    finish = RowEvaluator.finish

    def stop(rows: RowEvaluator) -> None:
        if rows.record.matrix.evaluated[0].all():
            raise Interrupted(signal.SIGTERM)
        finish(rows)

    with monkeypatch.context() as patched:
        patched.setattr(RowEvaluator, "finish", stop)
        command = ["run", *arguments, "--output-dir", str(stopped)]
        assert main(command) == 128 + signal.SIGTERM
    trained = [path.name for path in sorted((stopped / "checkpoints").iterdir())]
    assert trained == ["000_reach", "001_push"][: 1 + workers]
    assert main(["run", "--resume", str(stopped)]) == 0
    assert main(["run", *arguments, "--output-dir", str(whole)]) == 0
    assert_same_run(stopped, whole)


# Workers that fail -----------------------------------------------------------------------------


def test_a_run_whose_workers_cannot_start_measures_itself(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    assert_same_run: AssertSameRun,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    folder = tmp_path / "alone"
    assert main(["run", *tiny_arguments, "--workers", "2", "--output-dir", str(folder)]) == 0
    assert_same_run(folder, tiny_run[0], in_order=False)
    assert "Warning: the process that measured" in capsys.readouterr().out


def test_a_worker_that_is_killed_costs_one_cell_and_the_last_one_all_others(
    make_policy: Callable[..., VisualActionPolicy], small_sizes: dict[str, int]
) -> None:
    sizes = PolicyConfig(init="none", **small_sizes)  # type: ignore[arg-type]
    config = RunConfig(policy=sizes, eval=EvalConfig(episodes=2, horizon=4), workers=2)
    weights = Weights.of(make_policy())
    with evaluation_workers(config) as workers:
        assert workers is not None
        for killed, failed in ((0, 1), (1, 4)):
            workers._workers[killed]._process.kill()
            cells = [workers.submit(weights, "reach") for _ in range(4)]
            errors = [cell.exception() for cell in cells]
            assert sum(isinstance(error, WorkerError) for error in errors) == failed
        assert "no process is left that could measure reach" in str(errors[-1])


def test_an_error_in_a_worker_is_told_and_it_goes_on(
    make_policy: Callable[..., VisualActionPolicy], small_sizes: dict[str, int]
) -> None:
    sizes = PolicyConfig(init="none", **small_sizes)  # type: ignore[arg-type]
    config = RunConfig(policy=sizes, eval=EvalConfig(episodes=2, horizon=4), workers=1)
    with evaluation_workers(config) as workers:
        assert workers is not None
        weights = Weights.of(make_policy())
        with pytest.raises(WorkerError, match=r"could not measure no-such-task: .*no task"):
            workers.submit(weights, "no-such-task").result()
        assert workers.submit(weights, "reach").result().task == "reach"


# Messages --------------------------------------------------------------------------------------


def test_messages_arrive_as_they_were_sent() -> None:
    reward = torch.tensor([0.1, 1e-300, 123456789.123456789, -0.0], dtype=torch.float64)
    flags = torch.tensor([True, False, True, False])
    evaluation = Evaluation("reach", flags, ~flags, reward, flags)
    stream = io.BytesIO()
    send(stream, evaluation_to_plain(evaluation), b"\n{}\x00\n")
    send(stream, {"task": "push"})
    stream.seek(0)
    message, payload = receive(stream)
    found = evaluation_from_plain(message)
    assert payload == b"\n{}\x00\n"
    assert found.task == "reach" and torch.equal(found.is_success_at_end, ~flags)
    assert found.reward.numpy().tobytes() == reward.numpy().tobytes()
    assert receive(stream) == ({"task": "push"}, b"")
    with pytest.raises(EOFError):
        receive(stream)


@pytest.mark.parametrize("kept", [0, 5, 40])
def test_a_message_that_breaks_off_is_an_end(kept: int) -> None:
    stream = io.BytesIO()
    send(stream, {"task": "push"}, bytes(100))
    with pytest.raises(EOFError):
        receive(io.BytesIO(stream.getvalue()[:kept]))


# Cores -----------------------------------------------------------------------------------------


LONG, SHORT = 100, 2
MOST = 11
"""Tasks of the largest row: more workers would have nothing to do."""


@pytest.mark.parametrize(
    ("threads", "workers", "cells", "expected"),
    [
        (8, None, LONG, (4, 4)),
        (3, None, LONG, (1, 2)),
        (1, None, LONG, (0, 1)),
        (8, None, SHORT, (0, 8)),
        (8, 0, LONG, (0, 8)),
        (2, 6, SHORT, (6, 2)),
        (None, 0, LONG, (0, None)),
        (None, None, SHORT, (0, None)),
        (None, 1000, SHORT, (1000, 1)),
        (96, None, LONG, (MOST, 96 - MOST)),
        (96, 20, LONG, (20, 96)),
    ],
)
def test_training_and_workers_share_the_threads(
    threads: int | None, workers: int | None, cells: int, expected: tuple[int, int | None]
) -> None:
    config = RunConfig(threads=threads, workers=workers)
    assert share_cores(config, "cpu", cells, MOST) == expected


def test_by_itself_a_long_run_has_workers_on_half_of_the_cores() -> None:
    workers, threads = share_cores(RunConfig(), "cpu", LONG, 1000)
    cores = available_cores()
    assert (workers, threads) == (cores // 2, cores - cores // 2 if cores > 1 else None)


def test_a_run_that_was_killed_before_it_began_shares_the_cores_like_a_new_one(
    tmp_path: Path,
) -> None:
    config = RunConfig(task_stream=("cw10",), threads=8)
    folder = RunFolder(tmp_path)
    assert _with_shared_cores(config, "cpu", folder) == _with_shared_cores(config, "cpu", None)
    folder.environment.write_text('{"threads": 3, "workers": 0}')
    going_on = _with_shared_cores(config, "cpu", folder)
    assert (going_on.threads, going_on.workers) == (3, 0)
    folder.environment.write_text('{"threads": 3, "workers": 2}')
    on_gpu = _with_shared_cores(config, "cuda", folder)
    assert (on_gpu.threads, on_gpu.workers) == (3, 0)  # They would measure elsewhere.
    assert _with_shared_cores(config, "cpu", folder).workers == 2


def test_a_gpu_needs_no_workers(check_sentence: Callable[[object], str]) -> None:
    config = RunConfig(threads=3)
    assert share_cores(config, "cuda:0", LONG, MOST) == (0, 3)
    with pytest.raises(ConfigError) as caught:
        share_cores(replace(config, workers=2), "cuda:0", SHORT, MOST)
    assert "use --workers 0 or --device cpu" in check_sentence(caught.value)


def test_less_than_no_workers_are_refused(check_sentence: Callable[[object], str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(["--workers", "-1"])
    assert check_sentence(caught.value) == "workers is -1; it must be between 0 and 1024."
