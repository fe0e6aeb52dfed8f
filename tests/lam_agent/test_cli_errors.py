"""Mistakes of a user: one sentence, exit status 2, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lam_agent.__main__ import main

CASES = {
    "unknown task": (["--task-stream", "reech"], "did you mean 'reach'"),
    "unknown strategy": (["--strategy", "replya"], "did you mean 'replay'"),
    "empty stream": (["--task-stream", ","], "one task or more"),
    "repeated task": (["--task-stream", "push,push"], "--allow-repeats"),
    "negative demonstrations": (["--demonstrations", "-1"], "at least 1"),
    "no episodes": (["--eval.episodes", "0"], "eval.episodes is 0"),
    "negative memory": (["--replay.memory-mb", "-5"], "greater than 0"),
    "missing checkpoint": (["--policy.init", "/no/such/folder"], "/no/such/folder"),
    "missing config": (["--config", "/no/such/file.yaml"], "cannot be read"),
    "no run": (["--resume", "/no/such/run"], "is no run folder"),
}


@pytest.mark.parametrize("name", CASES)
def test_run_refuses(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, words = CASES[name]
    monkeypatch.chdir(tmp_path)
    assert main(["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("lam-agent: error: ")
    assert error.count("\n") == 1
    assert error.rstrip().endswith((".", "?"))
    assert not list(tmp_path.rglob("config.yaml"))


def test_unknown_key_in_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("replay: {memroy_mb: 3}\n", encoding="utf-8")
    assert main(["run", "--config", str(path)]) == 2
    assert "did you mean 'memory_mb'" in capsys.readouterr().err


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu"]) == 2
    assert "did you mean 'run'" in capsys.readouterr().err


def test_eval_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "/no/such/checkpoint"]) == 2
    assert "/no/such/checkpoint" in capsys.readouterr().err


def test_list_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list-tasks", "--json"]) == 0
    assert '"name": "push"' in capsys.readouterr().out
