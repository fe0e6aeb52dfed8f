"""Reference runs: made once for a protocol, and what they add to the results of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lam_agent import files
from lam_agent.__main__ import main
from lam_agent.config import (
    EwcConfig,
    PolicyConfig,
    ReplayConfig,
    RunConfig,
    StreamConfig,
    TrainConfig,
)
from lam_agent.references import reference_configs, reference_folder

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
    references = results["references"]
    assert references["joint"] == {"success": joint["success"][2][::-1], "episodes": 2}
    assert references["single_task"]["success"] == [
        alone["reach"]["success"][1][0],
        alone["push"]["success"][1][0],
    ]
    assert set(references["naive"]) == {"average_success", "forgetting"}
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
    assert again["references"] == references
    # The naive run is one of the references.
    for name in ("average_success", "forgetting"):
        assert references["naive"][name] == again["metrics"][name]
    assert main(["report", str(folder), str(other), "--output", str(tmp_path / "c.html")]) == 0
