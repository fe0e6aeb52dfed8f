"""`lam-agent benchmark`: strategies and seeds in one command, stopped, gone on with, compared."""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lam_agent import run
from lam_agent.__main__ import main
from lam_agent.benchmark import command as benchmark
from lam_agent.benchmark import jobs
from lam_agent.config import RunConfig
from lam_agent.errors import Interrupted
from lam_agent.interrupts import goes_on_by
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results import Cost, Results, WallTime, read_results, write_results
from lam_agent.running.folder import RunFolder

Check = Callable[[object], str]


@pytest.mark.slow
def test_a_benchmark_compares_goes_on_and_grows(
    tmp_path: Path,
    tiny_arguments: list[str],
    capfd: pytest.CaptureFixture[str],
    check_sentence: Check,
) -> None:
    output = tmp_path / "mine"
    command = ["benchmark", *tiny_arguments, "--output-dir", str(output), "--seeds", "0"]
    cache = command.index("--collect.cache-dir") + 1
    command[cache] = str(tmp_path / "cache")  # Where no reference runs are.
    assert main([*command, "--strategies", "naive,packnet", "--packnet.share", "0.2"]) == 0
    printed = capfd.readouterr().out
    assert f"Run 2 of 2: {output / 'packnet_seed0'}" in printed
    assert "Reference run naive" not in printed  # It is the first run.
    assert "Reference run joint" in printed
    naive, packnet = (
        read_results(output / f"{s}_seed0/results.json") for s in ("naive", "packnet")
    )
    assert naive.references == packnet.references
    for name in ("average_success", "forgetting"):
        assert packnet.references["naive"][name] == naive.metrics[name]  # type: ignore[index]

    data = json.loads((output / "benchmark.json").read_text())
    assert [item["method"] for item in data["methods"]] == ["naive", "packnet"]
    assert data["methods"][1]["metrics"]["forgetting"]["value"] == packnet.metrics["forgetting"]
    assert [output / item["results"] for item in data["runs"]] == [
        output / "naive_seed0/results.json",
        output / "packnet_seed0/results.json",
    ]
    table = (output / "benchmark.md").read_text()
    assert table.startswith("# reach → push\n") and "| average success |" in table
    assert "packnet" in (output / "comparison.html").read_text()

    # The same again makes nothing, another strategy is added, another setting is refused.
    before = (output / "packnet_seed0/results.json").stat().st_mtime_ns
    more = [*command, "--packnet.share", "0.2", "--strategies", "naive,packnet,l2,mas"]
    assert main([*more, "--jobs", "2"]) == 0
    printed = capfd.readouterr().out
    assert "Adapting to" not in printed
    for number, strategy in ((3, "l2"), (4, "mas")):
        folder = output / f"{strategy}_seed0"
        log = folder.with_name(f"{folder.name}.log")
        assert f"Run {number} of 4: {folder}, its words go to {log}\n" in printed
        assert f"Run {number} of 4: {folder} is done\n" in printed
        said = log.read_text()
        assert said.count("Adapting to") == 1 and "Adapted to push" in said
    assert (output / "packnet_seed0/results.json").stat().st_mtime_ns == before
    methods = json.loads((output / "benchmark.json").read_text())["methods"]
    assert [item["method"] for item in methods] == ["naive", "packnet", "l2", "mas"]
    assert main([*more, "--train.batch-size", "5"]) == 2
    assert "cannot change train" in check_sentence(capfd.readouterr().err.strip())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_benchmark_says_how_it_goes_on(
    tmp_path: Path, tiny_arguments: list[str], number: signal.Signals
) -> None:
    output = tmp_path / "all mine"
    words = ["benchmark", *tiny_arguments, "--output-dir", str(output), "--no-references"]
    words += ["--strategies", "naive", "--seeds", "0", "--train.max-steps", "5000"]
    command = [sys.executable, "-m", "lam_agent", *words]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        snapshot = output / "naive_seed0/checkpoints/000_reach/training_state/snapshot.safetensors"
        deadline = time.monotonic() + 300
        while not snapshot.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert process.poll() is None and snapshot.is_file()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # As a terminal does.
        else:
            process.send_signal(number)
        _, words_of_error = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert words_of_error == (
        f"lam-agent: stopped by {number.name}, what was done is saved; "
        f"`{shlex.join(['lam-agent', *words])}` goes on.\n"
    )


def test_runs_at_a_time_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "available_cores", lambda: 8)
    asked: list[list[str]] = []

    def note(planned: Iterable[jobs.Job[Any]], most: int, *_: object) -> None:
        asked.extend([str(most), *job.command[3:]] for job in planned)

    monkeypatch.setattr(benchmark, "run_jobs", note)
    words = ["benchmark", "--output-dir", str(tmp_path), "--strategies", "ewc,l2", "--seeds", "0,1"]
    for more, threads in ((["--jobs", "3"], "2"), (["--jobs", "3", "--threads", "5"], "5")):
        asked.clear()
        assert main([*words, *more]) == 0
        assert [(job[0], job[job.index("--threads") + 1]) for job in asked] == [("3", threads)] * 4
        # Runs of a seed would wait for each other's reference runs.
        folders = [Path(job[job.index("--output-dir") + 1]).name for job in asked]
        assert folders == ["ewc_seed0", "ewc_seed1", "l2_seed0", "l2_seed1"]
    asked.clear()
    assert main(words) == 0
    assert all(job[0] == "1" and "--threads" not in job for job in asked)
    assert main([*words, "--jobs", "0"]) == 2
    assert "jobs is 0; it must be between 1 and" in capsys.readouterr().err


# Mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--seed", "3"], "give --seeds"),
        (["--strategy=naive"], "give --strategies"),
        (["--resume", "x"], "the same command again"),
        (["--strategies", "naive,repaly"], "did you mean 'replay'"),
        (["--seeds", "1,-2"], "'-2'"),
        (["--seeds", ","], "seeds is empty"),
        (["--task-stream", "reach,puhs"], "did you mean 'push'"),
        (["--train.max-steps", "0"], "train.max-steps is 0"),
        (["--job", "3"], "benchmark has no option '--job' (did you mean '--jobs'?)"),
        (["--task-steam=reach"], "has no option '--task-steam' (did you mean '--task-stream'?)"),
    ],
)
def test_a_mistake_is_said_before_the_first_run(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Check,
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *words]) == 2
    assert expected in check_sentence(capsys.readouterr().err.strip())
    assert not list(tmp_path.iterdir())


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[list[str]]]:
    """Let each run of a benchmark end with a status; return what starts."""

    def end_with(status: int) -> list[list[str]]:
        started: list[list[str]] = []

        class Ending:
            returncode = status

            def __init__(self, words: list[str]) -> None:
                started.append(words)

            def poll(self) -> int:
                return status

        monkeypatch.setattr(jobs.subprocess, "Popen", Ending)
        return started

    return end_with


def test_a_run_that_fails_ends_the_benchmark(
    tmp_path: Path,
    ending: Callable[[int], list[list[str]]],
    capsys: pytest.CaptureFixture[str],
    check_sentence: Check,
) -> None:
    started = ending(2)
    output = tmp_path / "mine"
    assert main(["benchmark", "--output-dir", str(output), "--strategies", "ewc"]) == 2
    words = check_sentence(capsys.readouterr().err.strip())
    assert str(output / "ewc_seed0") in words and "status 2" in words and len(started) == 1


def test_a_benchmark_that_is_called_again_makes_references_that_were_left_out(
    tmp_path: Path, ending: Callable[[int], list[list[str]]]
) -> None:
    started = ending(0)
    folder = RunFolder(tmp_path / "replay_seed0")
    folder.path.mkdir()
    folder.write_config(RunConfig(task_stream=("reach",)))
    matrix = SuccessMatrix([[0.0], [1.0]], [[0.0], [1.0]], [[5.0], [5.0]])
    cost = Cost(WallTime(1.0, 1.0, 1.0, 3.0), 1.0, 0, 0, 1, 1)
    protocol = {"episodes": 5, "horizon": 24}
    results = Results(("reach",), "replay", 0, protocol, matrix, {}, cost, experiences_done=1)
    write_results(folder.results, results)
    words = ["--output-dir", str(tmp_path), "--strategies", "replay", "--seeds", "0"]
    again = ["benchmark", "--task-stream", "reach", *words]
    assert main([*again, "--no-references"]) == 0 and not started
    assert main(again) == 0
    (started_with,) = started
    assert " ".join(started_with[2:]).startswith(
        f"lam_agent.benchmark.member --resume {folder.path} --references "
    )
    write_results(folder.results, replace(results, references={"joint": None, "single_task": {}}))
    assert main(again) == 0 and len(started) == 1


def test_a_run_that_is_stopped_alone_stops_the_benchmark(
    tmp_path: Path,
    ending: Callable[[int], list[list[str]]],
    capsys: pytest.CaptureFixture[str],
    check_sentence: Check,
) -> None:
    started = ending(143)
    command = ["benchmark", "--output-dir", str(tmp_path / "all mine"), "--strategies", "ewc"]
    assert main(command) == 143 and len(started) == 1
    words = check_sentence(capsys.readouterr().err.strip())
    assert (
        f"stopped by SIGTERM, what was done is saved; `{shlex.join(['lam-agent', *command])}`"
        in words
    )


@pytest.mark.parametrize(
    ("reason", "status", "words"),
    [
        (Interrupted(signal.SIGTERM), 143, ""),
        (
            OSError(28, "No space left"),
            2,
            "lam-agent: error: No space left; make room on the disk.",
        ),
    ],
)
def test_a_run_of_a_benchmark_leaves_it_to_that_to_say_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reason: Exception,
    status: int,
    words: str,
) -> None:
    def stops(arguments: list[str]) -> None:
        with goes_on_by("lam-agent run --resume x"):
            raise reason

    monkeypatch.setattr(run, "command", stops)
    monkeypatch.setattr(sys, "argv", ["member"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("lam_agent.benchmark.member", run_name="__main__")
    assert caught.value.code == status
    assert capsys.readouterr().err.strip() == words
