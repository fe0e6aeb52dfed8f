"""Reference runs: made once for a protocol, and what they add to the results of a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from lam_agent import files
from lam_agent.__main__ import main
from lam_agent.config import (
    CollectConfig,
    EwcConfig,
    PolicyConfig,
    ReplayConfig,
    RunConfig,
    StreamConfig,
    TrainConfig,
)
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results import Cost, Results, WallTime, read_results, write_results
from lam_agent.running import references
from lam_agent.running.folder import RunFolder
from lam_agent.running.references import make_references, reference_configs, reference_folder

pytestmark = pytest.mark.usefixtures("kept_threads")


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return content


def folders(config: RunConfig) -> dict[str, Path]:
    return {name: reference_folder(item).path for name, item in reference_configs(config).items()}


def test_each_task_alone_all_jointly_and_naively() -> None:
    config = RunConfig(
        task_stream=("push", "reach", "push"),
        allow_repeats=True,
        strategy="ewc",
        stream=StreamConfig(order_seed=3),
    )
    configs = reference_configs(config)
    assert list(configs) == ["single_task:push", "single_task:reach", "joint", "naive"]
    assert [item.tasks for item in configs.values()] == [
        ("push",),
        ("reach",),
        ("push", "reach"),
        config.tasks,
    ]
    assert [item.strategy for item in configs.values()] == ["naive", "naive", "joint", "naive"]
    assert list(reference_configs(RunConfig(task_stream=("push",)))) == ["single_task:push"]


def test_what_does_not_shape_the_references_shares_them(tmp_path: Path) -> None:
    config = RunConfig()
    for same in (
        replace(config, strategy="ewc", ewc=EwcConfig(strength=3.0)),
        replace(config, replay=ReplayConfig(memory_mb=3.0)),
        replace(config, output_dir=tmp_path, video=2, logger=("wandb",), threads=1),
    ):
        assert folders(same) == folders(config)
    for other in (
        replace(config, seed=1),
        replace(config, demonstrations=7),
        replace(config, train=TrainConfig(max_steps=7)),
        replace(config, eval=replace(config.eval, episodes=7)),
        replace(config, collect=replace(config.collect, noise_std=0.1)),
    ):
        assert not set(folders(other).values()) & set(folders(config).values())
    turned = folders(replace(config, task_stream=("push", "reach")))
    assert {name for name in turned if turned[name] == folders(config)[name]} == {
        "single_task:push",
        "single_task:reach",
        "joint",
    }


def test_initial_weights_are_hashed_once_until_they_change(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def digest(path: Path) -> str:
        hashed.append(path)
        return str(len(hashed))

    monkeypatch.setattr(files, "file_digest", digest)
    config = RunConfig(policy=PolicyConfig(init=str(checkpoint)))
    before = folders(config)
    assert folders(config) == before
    assert hashed == [checkpoint / "model.safetensors"]
    (checkpoint / "model.safetensors").write_bytes(b"others")
    assert not set(folders(config).values()) & set(before.values())


# Made by several processes -----------------------------------------------------------------------

MAKER = """
import fcntl, os, pathlib, sys
folder, content = sys.argv[1:]
fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.readline()
(pathlib.Path(folder) / "results.json").write_text(content)
"""
"""Another process that makes a reference run, until it is told to end with its results."""


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """A run whose references nobody has made."""
    return RunConfig(
        policy=PolicyConfig(init="none"), collect=CollectConfig(cache_dir=tmp_path / "cache")
    )


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """Results of a run that is done."""
    matrix = SuccessMatrix([[0.0], [1.0]], [[0.0], [1.0]], [[5.0], [5.0]])
    cost = Cost(WallTime(1.0, 1.0, 1.0, 3.0), 1.0, 0, 0, 1, 1)
    protocol = {"episodes": 5, "horizon": 24}
    results = Results(("reach",), "naive", 0, protocol, matrix, {}, cost, experiences_done=1)
    write_results(tmp_path / "finished.json", results)
    return tmp_path / "finished.json"


@pytest.mark.parametrize("ends_well", [True, False], ids=["that ends", "that is killed"])
def test_a_reference_that_another_process_makes_is_waited_for(
    config: RunConfig, finished: Path, monkeypatch: pytest.MonkeyPatch, ends_well: bool
) -> None:
    monkeypatch.setattr(references, "_WAIT_S", 0.01)
    theirs = folders(config)["joint"]
    theirs.mkdir(parents=True)
    said: list[str] = []
    made: list[Path] = []
    command = [sys.executable, "-c", MAKER, str(theirs), finished.read_text()]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "locked\n"

        def say(words: str) -> None:
            said.append(words)
            if words != f"Reference run joint: another process is making it in {theirs}.":
                return
            assert theirs not in made and process.poll() is None
            if ends_well:
                process.communicate("go on\n")
            else:
                process.kill()

        def run(reference: RunConfig, folder: RunFolder, is_resumed: bool) -> Results:
            assert not is_resumed and reference.tasks
            made.append(folder.path)
            shutil.copy(finished, folder.results)
            return read_results(folder.results)

        make_references(config, run, say)
    others = [path for name, path in folders(config).items() if name != "joint"]
    assert len(others) == 3 and set(made) - {theirs} == set(others)
    assert (theirs in made) is not ends_well and len(set(made)) == len(made)
    assert len([words for words in said if "another process" in words]) == 1
    make_references(config, run, said.append)
    assert len(said) == len(made) + 1  # Nothing is left to make.


def test_a_finished_run_makes_the_references_that_were_left_out(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []
    monkeypatch.setattr(references, "make_references", lambda config, *rest: asked.append(config))
    assert main(["run", "--resume", str(copy), "--references"]) == 0
    assert [config.tasks for config in asked] == [("reach", "push")]


def test_references_are_made_once_and_give_the_bounds(
    tiny_arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Callable[[object], str],
) -> None:
    folder = tmp_path / "with"
    cache = ["--collect.cache-dir", str(tmp_path / "cache"), "--train.validate-every", "4"]
    arguments = ["run", *tiny_arguments, *cache]
    assert main([*arguments, "--references", "--output-dir", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Reference run") == 4
    results = read(folder)
    made = {path.name: read(path) for path in (tmp_path / "cache/references").iterdir()}
    assert len(made) == 4
    alone = {item["tasks"][0]: item for item in made.values() if len(item["tasks"]) == 1}
    (joint,) = (item for item in made.values() if item["strategy"] == "joint")
    assert joint["episodes"][1] == [None, None] and joint["finished"] is True
    assert joint["tasks"] == ["push", "reach"]
    assert [len(entry["learning"]) for entry in joint["per_task"]] == [2]
    assert joint["per_task"][0]["learning"][-1]["step"] == 8
    bounds = results["references"]
    assert bounds["joint"] == {"success": joint["success"][2][::-1], "episodes": 2}
    assert bounds["single_task"]["success"] == [
        alone["reach"]["success"][1][0],
        alone["push"]["success"][1][0],
    ]
    assert set(bounds["naive"]) == {"average_success", "forgetting"}
    assert results["metrics"]["auc"] is not None
    speed = results["metrics"]["learning_speed_transfer"]
    areas = [item["per_task"][0]["learning_area"] for item in (alone["reach"], alone["push"])]
    ours = [entry["learning_area"] for entry in results["per_task"]]
    expected = sum((a - b) / (1 - b) for a, b in zip(ours, areas, strict=True)) / 2
    assert speed == pytest.approx(expected)

    # Another strategy of the same protocol finds them, and makes none.
    other = tmp_path / "other"
    more = ["--strategy", "naive", "--references", "--output-dir", str(other)]
    assert main([*arguments, *more]) == 0
    assert "Reference run" not in capsys.readouterr().out
    again = read(other)
    assert again["references"] == bounds
    # The naive run is one of the references.
    for name in ("average_success", "forgetting"):
        assert bounds["naive"][name] == again["metrics"][name]
    assert main(["report", str(folder), str(other), "--output", str(tmp_path / "c.html")]) == 0
