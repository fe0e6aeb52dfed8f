"""The smaller commands: collect, eval, list-tasks, info, help."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from lam_agent import __version__
from lam_agent.__main__ import _COMMANDS as COMMANDS
from lam_agent.__main__ import guarded, main
from lam_agent.commands.pictures import (
    RANDOMISED_TASKS,
    save_pictures,
    save_randomised_pictures,
)
from lam_agent.interrupts import goes_on_by
from lam_agent.system import package_versions
from lam_envs.cores import available_cores
from lam_envs.names import STREAMS
from lam_envs.tasks.registry import make_task, task_names

TinyRun = tuple[Path, str]
Capture = pytest.CaptureFixture[str]

KEPT = ("--collect.keep-failures",)
"""Horizons are too short for a success."""

pytestmark = pytest.mark.usefixtures("kept_threads")


def test_list_tasks_names_every_task_with_its_instruction(capsys: Capture) -> None:
    assert main(["list-tasks", "--json"]) == 0
    tasks = json.loads(capsys.readouterr().out)
    assert [task["name"] for task in tasks] == list(task_names())
    assert all(task["instruction"] == make_task(task["name"]).instruction for task in tasks)
    by_name = {task["name"]: task for task in tasks}
    assert by_name["coffee-pull"]["scene"] == "sawyer_xyz/sawyer_coffee.xml"
    assert by_name["coffee-pull"]["shares_scene_with"] == ["coffee-button", "coffee-push"]
    assert by_name["hammer"]["shares_scene_with"] == []
    # A file that adds sensors to a scene of metaworld's.
    assert by_name["stick-push"]["scene"] == "lam_envs/tasks/stick_push.xml"
    assert by_name["stick-push"]["shares_scene_with"] == ["stick-pull"]
    assert main(["list-tasks"]) == 0
    tasks_part, streams_part = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in tasks_part.splitlines()] == list(task_names())
    title, *streams = streams_part.splitlines()
    assert title == "Task streams:"
    assert [line.split() for line in streams] == [
        [name, str(len(stream)), "tasks:", ",".join(stream)] for name, stream in STREAMS.items()
    ]


def test_pictures_of_tasks_fill_a_folder_and_a_sheet(tmp_path: Path) -> None:
    sheet = save_pictures(["push", "drawer-open", "reach", "window-close"], tmp_path / "new")
    assert sheet == tmp_path / "new" / "sheet.png"
    files = {path.name for path in sheet.parent.iterdir()}
    assert len(files) == 9 and {"push_front.png", "push_wrist.png", "sheet.png"} <= files
    with Image.open(sheet.parent / "push_wrist.png") as picture:
        assert picture.size == (256, 256)
    with Image.open(sheet) as whole:
        assert whole.size == (3 * 2 * 256, 2 * (256 + 16))


def test_a_sheet_shows_randomised_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(RANDOMISED_TASKS) <= set(task_names())
    monkeypatch.setattr("lam_agent.commands.pictures.RANDOMISED_TASKS", ("push", "hammer"))
    with Image.open(save_randomised_pictures(tmp_path)) as sheet:
        assert sheet.size == (6 * 256, 2 * (16 + 2 * 256))
        assert (tmp_path / "randomised.png").is_file()
        views = [sheet.crop((x, 16, x + 256, 16 + 256)) for x in range(0, 6 * 256, 256)]
    assert len({view.tobytes() for view in views}) == 6


def test_list_tasks_writes_pictures_of_every_task(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def save(tasks: tuple[str, ...], folder: Path) -> Path:
        asked.extend((tasks, folder))
        return folder / "sheet.png"

    def save_randomised(folder: Path) -> Path:
        asked.append(folder)
        return folder / "randomised.png"

    monkeypatch.setattr("lam_agent.commands.pictures.save_pictures", save)
    monkeypatch.setattr("lam_agent.commands.pictures.save_randomised_pictures", save_randomised)
    assert main(["list-tasks", "--pictures", str(tmp_path)]) == 0
    assert asked == [task_names(), tmp_path, tmp_path]
    assert capsys.readouterr().out.endswith(
        f"Pictures: {tmp_path / 'sheet.png'}\nRandomised: {tmp_path / 'randomised.png'}\n"
    )
    assert main(["list-tasks", "--json", "--pictures", str(tmp_path)]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(task_names())


def test_collect_fills_the_cache_that_run_reads(
    tiny_run: TinyRun, cache_dir: Path, capsys: Capture
) -> None:
    sizes = ["--demonstrations", "4", "--image-size", "32", "--horizon", "24", "--threads", "1"]
    arguments = ["--tasks", "reach,push", *sizes, *KEPT, "--collect.cache-dir", str(cache_dir)]
    before = {path: path.stat().st_mtime_ns for path in cache_dir.iterdir()}
    assert main(["collect", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "Found 4 demonstrations of reach" in printed
    assert "Found 4 demonstrations of push" in printed
    assert {path: path.stat().st_mtime_ns for path in cache_dir.iterdir()} == before


def test_collect_says_what_it_made_and_where(tmp_path: Path, capsys: Capture) -> None:
    sizes = ["--demonstrations", "2", "--image-size", "32", "--horizon", "4", "--threads", "1"]
    arguments = ["--tasks", "push,push", *sizes, *KEPT, "--collect.cache-dir", str(tmp_path)]
    assert main(["collect", *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Collected 2 demonstrations of push: 2 looks, ") == 1
    (file,) = tmp_path.glob("*.safetensors")
    assert str(file) in printed


def test_collect_keeps_randomised_demonstrations_apart(tmp_path: Path, capsys: Capture) -> None:
    sizes = ["--demonstrations", "2", "--image-size", "32", "--horizon", "4", "--threads", "1"]
    arguments = ["--tasks", "push", *sizes, *KEPT, "--collect.cache-dir", str(tmp_path)]
    for randomise in ([], ["--randomise.colours", "0.5"]):
        assert main(["collect", *arguments, *randomise]) == 0
        assert "Collected 2 demonstrations of push" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_eval_measures_what_the_run_measured(tiny_run: TinyRun, capsys: Capture) -> None:
    assert main(["eval", str(tiny_run[0]), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    results = json.loads((tiny_run[0] / "results.json").read_text(encoding="utf-8"))
    assert [row["task"] for row in rows] == ["reach", "push"]
    assert [row["success"] for row in rows] == results["success"][-1]
    assert [row["success_at_end"] for row in rows] == results["success_at_end"][-1]
    for row in rows:
        low, high = row["interval"]
        assert row["recorded"] == row["success"] and row["horizon"] == 24
        assert row["episodes"] == 2 and 0 <= low <= row["success"] <= high <= 1
        assert row["is_instruction_seen"] is True
        assert row["nearest_instruction"] == {
            "task": row["task"],
            "instruction": make_task(row["task"]).instruction,
            "similarity": 1.0,
        }


def test_eval_takes_no_more_threads_than_there_are_cores(
    save_checkpoint: Callable[..., None], make_policy: Callable[..., object], tmp_path: Path
) -> None:
    protocol = {"episodes": 1, "horizon": 4, "threads": 4096}
    save_checkpoint(tmp_path / "checkpoint", make_policy(), protocol=protocol)
    assert main(["eval", str(tmp_path / "checkpoint"), "--tasks", "push"]) == 0
    assert torch.get_num_threads() == available_cores()


def test_eval_prints_a_table_of_the_tasks_asked_for(tiny_run: TinyRun, capsys: Capture) -> None:
    checkpoint = tiny_run[0] / "checkpoints/000_reach"
    sizes = ["--tasks", "push", "--episodes", "2", "--horizon", "4", "--threads", "1"]
    assert main(["eval", str(checkpoint), *sizes]) == 0
    table = capsys.readouterr().out
    assert "push" in table and "%" in table


def test_eval_of_a_task_that_was_never_learned_says_so(tiny_run: TinyRun, capsys: Capture) -> None:
    checkpoint = tiny_run[0] / "checkpoints/000_reach"
    sizes = ["--tasks", "reach,push", "--episodes", "1", "--horizon", "4", "--threads", "1"]
    assert main(["eval", str(checkpoint), *sizes]) == 0
    words = " ".join(capsys.readouterr().out.split())
    flag = "The checkpoint never learned the instruction of push; the nearest"
    assert words.count("The checkpoint never learned") == words.count(flag) == 1
    assert main(["eval", str(checkpoint), *sizes, "--json"]) == 0
    reach, push = json.loads(capsys.readouterr().out)
    assert reach["is_instruction_seen"] and not push["is_instruction_seen"]
    assert push["nearest_instruction"]["task"] == "reach"
    assert push["nearest_instruction"]["similarity"] < 1 and push["recorded"] is None


def test_info_tells_of_the_machine_a_run_and_a_checkpoint(
    tiny_run: TinyRun, saved_checkpoint: Path, capsys: Capture
) -> None:
    assert main(["info"]) == 0
    assert json.loads(capsys.readouterr().out)["versions"] == package_versions()
    assert main(["info", str(tiny_run[0])]) == 0
    printed = capsys.readouterr().out
    assert "after push" in printed and "average success" in printed
    assert main(["info", str(tiny_run[0]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == ["reach", "push"]
    for folder in (saved_checkpoint, tiny_run[0] / "checkpoints/last"):
        assert main(["info", str(folder)]) == 0
        printed = capsys.readouterr().out
        assert "push" in printed and "parameters" in printed and "verified" in printed
        assert main(["info", str(folder), "--json"]) == 0
        contract = json.loads(capsys.readouterr().out)
        assert contract["format_version"] == 1
        assert contract["tasks"] == {
            name: make_task(name).instruction for name in ("reach", "push")
        }


def test_help_and_version(capsys: Capture) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        printed = capsys.readouterr().out
        for command in COMMANDS:
            assert f"\n  {command} " in printed
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lam-agent {__version__}\n"


@pytest.mark.parametrize("arguments", [["run", "--help"], ["list-tasks", "--help"]])
def test_a_terminal_that_has_ascii_alone_is_enough(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    print("– and …", flush=True)
    assert caught.value.code == 0
    assert b"usage: lam-agent" in written.getvalue()
    assert written.getvalue().endswith(b"? and ?\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: lam-agent {command}" in capsys.readouterr().out


def test_the_stable_flags_of_run_are_in_its_help(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    printed = capsys.readouterr().out
    for flag in (
        "--task-stream",
        "--strategy",
        "--seed",
        "--demonstrations",
        "--eval.episodes",
        "--output-dir",
        "--config",
        "--resume",
        "--policy.init",
        "--device",
        "--replay.memory-mb",
    ):
        assert flag in printed


def test_a_reader_that_leaves_ends_a_command_quietly() -> None:
    command = [sys.executable, "-m", "lam_agent", "list-tasks"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), 2),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried"), 2),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), 2),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
    ],
)
def test_a_full_memory_is_told_in_a_sentence(
    error: Exception, status: int | None, capsys: Capture, check_sentence: Callable[[object], str]
) -> None:
    def act() -> None:
        with goes_on_by("lam-agent run --resume x"):
            raise error

    if status is None:  # A mistake of ours keeps its traceback.
        with pytest.raises(RuntimeError, match="mat1"):
            guarded(act)
        return
    assert guarded(act) == status
    words = check_sentence(capsys.readouterr().err.strip())
    assert "the memory does not suffice" in words and "`lam-agent run --resume x` goes on" in words


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list-tasks"]])
def test_a_full_disk_is_told_in_a_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lam_agent", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    words = "lam-agent: error: No space left on device; make room on the disk.\n"
    assert (done.returncode, done.stderr) == (2, words)


def test_a_kernel_cache_that_cannot_be_written_is_no_error() -> None:
    words = "from lam_envs.warp_runtime import wp; print(wp.config.kernel_cache_dir)"
    done = subprocess.run(
        [sys.executable, "-c", words],
        env={**os.environ, "WARP_CACHE_PATH": "/dev/null/warp"},
        capture_output=True,
        text=True,
        check=True,
    )
    folder = Path(done.stdout.strip())
    assert folder.parent.name.startswith("lam-warp-") and not folder.parent.exists()
