"""The README's main command with tiny sizes, in a process of its own as a user runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SIZES = {
    "--task-stream": "reach,push",
    "--demonstrations": "4",
    "--eval.episodes": "2",
    "--eval.validation-episodes": "2",
    "--eval.horizon": "24",
    "--train.max-steps": "4",
    "--train.validate-every": "2",
    "--policy.image-size": "32",
    "--policy.width": "32",
    "--replay.memory-mb": "1",
    "--threads": "1",
}
TINY = [word for pair in SIZES.items() for word in pair]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lam_agent.run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return content


def weights(folder: Path, checkpoint: str) -> bytes:
    return (folder / "checkpoints" / checkpoint / "pretrained_model/model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, cache: str) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    done = run(*TINY, "--output-dir", str(folder), "--collect.cache-dir", cache, "--video", "1")
    assert done.returncode == 0, done.stderr
    assert "average success" in done.stdout
    assert str(folder / "results.json") in done.stdout.replace("\n", "")
    return folder


def test_folder_holds_everything(first: Path) -> None:
    results = read(first)
    assert results["tasks"] == ["reach", "push"]
    assert results["finished"] is True
    assert [len(row) for row in results["success"]] == [2, 2, 2]
    assert all(value is not None for row in results["success"] for value in row)
    assert 0 < results["cost"]["replay_bytes"] <= 1_000_000
    for name in ("config.yaml", "environment.json", "metrics.jsonl", "report.md"):
        assert (first / name).stat().st_size > 0
    checkpoints = {path.name for path in (first / "checkpoints").iterdir()}
    assert checkpoints == {"000_reach", "001_push", "last"}
    assert (first / "checkpoints/last").resolve().name == "001_push"
    videos = list((first / "videos").iterdir())
    assert 1 <= len(videos) <= 4
    assert all(path.stat().st_size > 1000 for path in videos)


def test_config_repeats_the_run(first: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    done = run("--config", str(first / "config.yaml"), "--output-dir", str(again), "--video", "0")
    assert done.returncode == 0, done.stderr
    assert "Loaded 4 demonstrations" in done.stdout
    assert read(again)["success"] == read(first)["success"]
    assert weights(again, "001_push") == weights(first, "001_push")


def test_resume_equals_the_unbroken_run(first: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(first, broken, symlinks=True)
    shutil.rmtree(broken / "checkpoints/001_push")
    results = read(broken)
    for name in ("success", "success_at_end", "episodes"):
        results[name][2] = [None, None]
    results |= {"experiences_done": 1, "finished": False, "metrics": {}, "intervals": {}}
    results["per_task"] = results["per_task"][:1]
    (broken / "results.json").write_text(json.dumps(results), encoding="utf-8")
    done = run("--resume", str(broken), "--video", "0")
    assert done.returncode == 0, done.stderr
    assert "after 1 experiences" in done.stdout
    assert read(broken)["success"] == read(first)["success"]
    assert weights(broken, "001_push") == weights(first, "001_push")


def test_existing_folder_is_refused(first: Path) -> None:
    before = (first / "results.json").read_bytes()
    done = run(*TINY, "--output-dir", str(first))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "exists already" in done.stderr
    assert (first / "results.json").read_bytes() == before


def test_resume_refuses_other_settings(first: Path) -> None:
    done = run("--resume", str(first), "--seed", "7")
    assert done.returncode == 2
    assert "--resume cannot change seed from 0 to 7" in done.stderr
