"""A run that is killed, stopped or out of disk at any moment goes on to the same end."""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lam_agent.__main__ import main
from lam_agent.config import CollectConfig, PolicyConfig, RunConfig
from lam_agent.config.file import read_config
from lam_agent.continual.snapshot import snapshot_file
from lam_agent.errors import ConfigError, Interrupted
from lam_agent.results import Results
from lam_agent.run import parse, with_absolute_paths
from lam_agent.running import resume, runner
from lam_agent.running.folder import RunFolder, dump_config
from lam_envs.names import STREAMS

TinyRun = tuple[Path, str]
RunCommand = Callable[..., list[str]]
AssertSameRun = Callable[..., None]

pytestmark = pytest.mark.usefixtures("kept_threads")


# Killed ----------------------------------------------------------------------------------------


def kill_when(process: subprocess.Popen[bytes], condition: Callable[[], bool], wait: float) -> bool:
    """Kill a process some time after a condition holds; say whether it was still alive."""
    while process.poll() is None and not condition():
        time.sleep(0.002)
    time.sleep(wait)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["collecting", "first", "second"])
def test_a_run_that_is_killed_goes_on_to_the_same_end(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    run_command: RunCommand,
    assert_same_run: AssertSameRun,
    tmp_path: Path,
    moment: str,
) -> None:
    folder = tmp_path / "killed"
    signs = {
        "collecting": folder / "environment.json",
        "first": folder / "checkpoints/000_reach/training_state/snapshot.safetensors",
        "second": folder / "checkpoints/001_push/training_state/snapshot.safetensors",
    }
    wait = random.Random(moment).uniform(0.0, 0.3)
    command = run_command(*tiny_arguments, "--output-dir", str(folder))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        assert kill_when(process, signs[moment].exists, wait), "it ended before it was killed"
    assert main(["run", "--resume", str(folder)]) == 0
    assert_same_run(folder, tiny_run[0])


def test_a_run_that_is_stopped_says_how_to_go_on(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    run_command: RunCommand,
    assert_same_run: AssertSameRun,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "stopped here"
    snapshot = folder / "checkpoints/000_reach/training_state/snapshot.safetensors"
    command = run_command(*tiny_arguments, "--output-dir", str(folder))
    for number, started in ((signal.SIGTERM, snapshot), (signal.SIGINT, folder / "results.json")):
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            words = b""
            while not started.exists() or b"Adapting" not in words:
                words += process.stdout.readline()
            process.send_signal(number)
            printed = process.stderr.read().decode()
            process.stdout.read()
            assert process.wait() == 128 + number
        assert re.fullmatch(
            rf"lam-agent: stopped by {number.name}, what was done is saved; "
            rf"`lam-agent run --resume '{folder}'` goes on\.\n",
            printed,
        )
        command = run_command("--resume", str(folder))
    assert main(["run", "--resume", str(folder)]) == 0
    assert_same_run(folder, tiny_run[0])


def test_a_run_goes_on_from_each_moment_around_the_removal_of_a_snapshot(
    tiny_arguments: list[str],
    assert_same_run: AssertSameRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = tmp_path / "whole"
    moments: list[tuple[str, list[str]]] = []

    def keep(words: str) -> None:
        """Copy the run as a kill would leave it; tell what snapshots it has."""
        copy = Path(shutil.copytree(whole, tmp_path / str(len(moments)), symlinks=True))
        found = sorted((copy / "checkpoints").glob("0*/training_state/snapshot.safetensors"))
        moments.append((words, [path.parts[-3] for path in found]))

    write_results, remove_snapshot = runner.write_results, resume.remove_snapshot

    def write(path: Path, results: Results) -> None:
        write_results(path, results)
        if results.experiences_done > 1:
            keep(f"results {results.experiences_done}")

    def remove(checkpoint: Path) -> None:
        is_there = snapshot_file(checkpoint).exists()
        remove_snapshot(checkpoint)
        if is_there:
            keep(f"without {checkpoint.name}")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_results", write)
        patch.setattr(resume, "remove_snapshot", remove)
        stream = ["--task-stream", "reach,push,drawer-open"]
        assert main(["run", *tiny_arguments, *stream, "--output-dir", str(whole)]) == 0
    reach, push, last = "000_reach", "001_push", "002_drawer-open"
    assert moments == [
        ("results 2", [reach, push]),
        ("without 000_reach", [push]),
        ("results 3", [push, last]),
        ("without 001_push", [last]),
        ("results 3", [last]),
        ("results 3", [last]),
    ]
    for number in range(4):
        assert main(["run", "--resume", str(tmp_path / str(number))]) == 0, moments[number]
        assert_same_run(tmp_path / str(number), whole)


# No space --------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_last_good_state(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    run_command: RunCommand,
    assert_same_run: AssertSameRun,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "full"
    sizes = {
        path: path.stat().st_size
        for path in (tiny_run[0] / "checkpoints").rglob("snapshot.safetensors")
    }
    largest = max(sizes, key=lambda path: sizes[path])
    assert "001_push" in str(largest)  # It holds the replay buffer of both tasks.
    limit = sizes[largest] - 1000

    def fill_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        run_command(*tiny_arguments, "--output-dir", str(folder)),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=fill_disk,
    )
    assert done.returncode == 2
    assert re.fullmatch(r"lam-agent: error: .*(large|File).*\.\n", done.stderr)
    assert main(["run", "--resume", str(folder)]) == 0
    assert_same_run(folder, tiny_run[0])


# Two at once, and damage -----------------------------------------------------------------------


def test_two_processes_do_not_write_into_one_run(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    before = (copy / "results.json").read_bytes()
    with RunFolder(copy).locked():
        assert main(["run", "--resume", str(copy)]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert "another process is working on" in words
    assert (copy / "results.json").read_bytes() == before


def test_another_folder_is_refused(
    tiny_run: TinyRun, capsys: pytest.CaptureFixture[str], check_sentence: Callable[[object], str]
) -> None:
    assert main(["run", "--resume", str(tiny_run[0]), "--output-dir", "elsewhere"]) == 2
    assert "writes nothing into elsewhere" in check_sentence(capsys.readouterr().err.strip())


def test_another_physics_engine_is_refused(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    before = (copy / "results.json").read_bytes()
    assert main(["run", "--resume", str(copy), "--sim.engine", "warp"]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert "results are of native; add --sim.engine native" in words
    assert (copy / "results.json").read_bytes() == before


def test_a_log_that_was_shortened_is_refused(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    (copy / "metrics.jsonl").write_text("")
    assert main(["run", "--resume", str(copy)]) == 2
    assert "metrics.jsonl" in check_sentence(capsys.readouterr().err.removesuffix("\n"))


def test_edited_results_are_refused(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    results = json.loads((copy / "results.json").read_text())
    results["success"][2] = [1.0, 1.0]
    (copy / "results.json").write_text(json.dumps(results))
    before = (copy / "results.json").read_bytes()
    assert main(["run", "--resume", str(copy)]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert "changed after they were written" in words
    assert (copy / "results.json").read_bytes() == before


def test_results_of_other_settings_are_not_gone_on_with(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    before = (copy / "results.json").read_bytes()
    config = (copy / "config.yaml").read_text()
    for old, new, words in (
        ("strategy: replay", "strategy: naive", "strategy is 'naive', but its results are of"),
        ("seed: 0", "seed: 7", "seed is 7, but its results are of 0"),
        ("copies: 0", "copies: 2", "its results are of None"),
        ("episodes: 2", "episodes: 3", "episodes is 3, but its results are of 2"),
    ):
        assert old in config
        (copy / "config.yaml").write_text(config.replace(old, new, 1))
        assert main(["run", "--resume", str(copy)]) == 2
        assert words in check_sentence(capsys.readouterr().err.removesuffix("\n"))
        assert (copy / "results.json").read_bytes() == before


def test_a_damaged_snapshot_says_what_helps(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    snapshot = copy / "checkpoints/001_push/training_state/snapshot.safetensors"
    snapshot.write_bytes(snapshot.read_bytes()[:-100])
    grown = ["--task-stream", "reach,push,drawer-open"]
    assert main(["run", "--resume", str(copy), *grown]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert "start the run anew" in words and "remove" not in words


# Growing ---------------------------------------------------------------------------------------


def test_a_stream_that_grows_equals_the_one_that_was_whole(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    assert_same_run: AssertSameRun,
    tmp_path: Path,
) -> None:
    grown = Path(shutil.copytree(tiny_run[0], tmp_path / "grown", symlinks=True))
    stream = ["--task-stream", "reach,push,drawer-open"]
    assert main(["run", "--resume", str(grown), *stream, "--video", "0"]) == 0
    whole = tmp_path / "whole"
    assert main(["run", *tiny_arguments, *stream, "--output-dir", str(whole)]) == 0
    # The same rows; those of the new column come later.
    assert_same_run(grown, whole, in_order=False)


@pytest.mark.parametrize(
    ("stream", "part"),
    [
        ("push,reach", "cannot change task-stream"),
        ("reach", "cannot change task-stream"),
        ("reach,drawer-open,push", "cannot change task-stream"),
        ("reach,push,push", "more than once"),
    ],
)
def test_a_stream_that_does_not_begin_alike_is_refused(
    tiny_run: TinyRun,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    stream: str,
    part: str,
) -> None:
    assert main(["run", "--resume", str(tiny_run[0]), "--task-stream", stream]) == 2
    assert part in check_sentence(capsys.readouterr().err.removesuffix("\n"))


def test_a_stream_may_grow_by_tasks_that_come_again(tmp_path: Path) -> None:
    config = dump_config(RunConfig(task_stream=("cw10",)))
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    settings = parse(["--resume", str(tmp_path), "--task-stream", "cw20"]).settings
    assert settings.task_stream == STREAMS["cw20"] and settings.allow_repeats


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_that_is_stopped_before_it_begins_says_what_is_left(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_new: bool,
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr("lam_agent.running.runner.Runner", stop)
    folder = tmp_path / "run"
    if not is_new:
        folder.mkdir()
        (folder / "config.yaml").write_text(dump_config(RunConfig()), encoding="utf-8")
    option = "--output-dir" if is_new else "--resume"
    assert main(["run", option, str(folder)]) == 128 + signal.SIGTERM
    words = "before the run began" if is_new else ", what was done is saved"
    assert words in capsys.readouterr().err
    assert folder.exists() != is_new


# In another folder -----------------------------------------------------------------------------


def relative_settings(init: str) -> RunConfig:
    """A configuration that names all that it needs by relative paths."""
    return RunConfig(
        demonstrations_path=Path("demonstrations"),
        policy=PolicyConfig(init=init),
        collect=CollectConfig(cache_dir=Path("cache")),
    )


def test_paths_of_a_new_run_mean_the_same_in_every_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = with_absolute_paths(relative_settings(checkpoint.name))
    assert settings.policy.init == str(checkpoint)
    assert settings.demonstrations_path == tmp_path / "demonstrations"
    assert settings.collect.cache_dir == tmp_path / "cache"
    assert with_absolute_paths(settings) == settings
    backbone = PolicyConfig(init="none", encoder="vit-small", encoder_weights="a.safetensors")
    found = with_absolute_paths(RunConfig(policy=backbone)).policy.encoder_weights
    assert found == str(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "policy",
    [
        PolicyConfig(),
        PolicyConfig(init="none"),
        PolicyConfig(init="none", encoder="torchvision:resnet18", encoder_weights="default"),
        PolicyConfig(encoder="vit-small", encoder_weights="a.safetensors"),
    ],
)
def test_names_of_weights_are_no_paths(policy: PolicyConfig) -> None:
    assert with_absolute_paths(RunConfig(policy=policy)).policy == policy


def test_a_run_writes_absolute_paths(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def refuse(config: RunConfig, folder: RunFolder, *_: object, resume: bool) -> None:
        written.append(read_config(folder.config))
        raise ConfigError("that is all.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lam_agent.running.runner.Runner", refuse)
    paths = ["--policy.init", checkpoint.name, "--collect.cache-dir", "cache"]
    assert main(["run", *paths, "--output-dir", "run"]) == 2
    assert written[0].policy.init == str(checkpoint)
    assert written[0].collect.cache_dir == tmp_path / "cache"


def test_flags_that_name_the_same_paths_again_change_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    saved = with_absolute_paths(relative_settings(checkpoint.name))
    (tmp_path / "run" / "config.yaml").write_text(dump_config(saved), encoding="utf-8")
    words = ["--demonstrations-path", "demonstrations", "--collect.cache-dir", "cache"]
    again = parse(["--resume", "run", *words, "--policy.init", checkpoint.name]).settings
    assert again == saved
    with pytest.raises(ConfigError, match="cannot change demonstrations-path"):
        parse(["--resume", "run", "--demonstrations-path", "others"])
