"""The few-shot benchmark: points that the command would measure, kept, drawn and not mixed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import to_memory
from lam_agent.policy.policy import VisualActionPolicy

pytestmark = pytest.mark.usefixtures("kept_threads")


@pytest.fixture
def few_shot(
    import_benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The benchmark, with a small collection."""
    module = import_benchmark("few_shot")
    monkeypatch.setattr(module, "NUM_COLLECTED", 4)
    return module


def options(tiny_arguments: list[str]) -> list[str]:
    """Return the options of the tiny run that shape every point."""
    *named, keeping = tiny_arguments
    pairs = zip(named[::2], named[1::2], strict=True)
    other = ("--task-stream", "--demonstrations", "--policy.image-size", "--policy.width")
    kept = [word for pair in pairs if pair[0] not in other for word in pair]
    return [*kept, keeping, "--policy.execute-length", "2"]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_points_are_those_of_the_command_and_are_measured_once(
    few_shot: ModuleType,
    saved_checkpoint: Path,
    tiny_arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "few.json"
    shared = options(tiny_arguments)
    asked = ["--init", str(saved_checkpoint), "--tasks", "push", "--json", str(path)]
    few_shot.main([*asked, "--demonstrations", "0,2", "--starts", "pretrained,scratch", *shared])
    report = read(path)
    keys = [(row["start"], row["mode"], row["demonstrations"]) for row in report["points"]]
    assert keys == [
        ("pretrained", "trunk", 0),
        ("scratch", "full", 0),
        ("pretrained", "trunk", 2),
        ("scratch", "full", 2),
    ]
    pretrained, scratch = report["points"][2:]
    assert 0 < pretrained["trained_parameters"] < scratch["trained_parameters"]
    assert scratch["trained_parameters"] == scratch["total_parameters"]
    assert all(row["trained_parameters"] == row["adapt_s"] == 0 for row in report["points"][:2])
    assert report["settings"]["train"]["max_steps"] == 4
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    assert [row["tasks"] for row in report["means"]] == [1, 1, 1, 1]

    # The command with 2 demonstrations of its own.
    folder = tmp_path / "run"
    run = ["run", "--task-stream", "push", "--strategy", "naive", "--demonstrations", "2", *shared]
    run += ["--policy.init", str(saved_checkpoint), "--adapt", "trunk"]
    assert main([*run, "--output-dir", str(folder)]) == 0
    results = read(folder / "results.json")
    assert results["per_task"][0]["learning"] == pretrained["learning"]
    assert [row[0] for row in results["success"]] == [
        report["points"][0]["success"],
        pretrained["success"],
    ]
    assert results["cost"]["trainable_parameters"] == pretrained["trained_parameters"]

    # Another call measures what is missing, here the encoders alone.
    capsys.readouterr()
    few_shot.main([*asked, "--demonstrations", "2", "--starts", "pretrained,encoder", *shared])
    assert "1 of 2 points are in" in capsys.readouterr().out
    again = read(path)
    assert again["points"][:4] == report["points"] and len(again["points"]) == 5
    encoder = again["points"][4]
    assert (encoder["start"], encoder["mode"]) == ("encoder", "trunk")
    assert encoder["trained_parameters"] == pretrained["trained_parameters"]
    assert encoder["learning"] != pretrained["learning"]

    # Points of other settings are not put beside them.
    for other in (["--train.max-steps", "3"], ["--seed", "1"]):
        with pytest.raises(SystemExit) as caught:
            few_shot.main([*asked, "--demonstrations", "2", *shared, *other])
        assert caught.value.code == 2
        words = capsys.readouterr().err
        assert "was measured with" in words and "name another file by --json" in words
    assert read(path) == again

    path.with_suffix(".svg").unlink()
    few_shot.main(["--plot-only", "--json", str(path)])
    figure = ET.parse(path.with_suffix(".svg")).getroot()
    words = [item.text for item in figure.iter() if item.tag.endswith("text")]
    for label in (
        "mean of 1 tasks",
        "push",
        "pretrained, trunk",
        "encoder, trunk",
        "scratch, full",
    ):
        assert label in words
    lines = [item for item in figure.iter() if item.get("class") == "band"]
    assert len(lines) == 2 * 3


def test_a_start_with_memory_is_the_command_with_replay(
    few_shot: ModuleType,
    save_checkpoint: Callable[..., None],
    make_policy: Callable[..., VisualActionPolicy],
    make_frames: Callable[..., Frames],
    tiny_arguments: list[str],
    tmp_path: Path,
) -> None:
    policy = make_policy()
    frames = to_memory(policy, make_frames(5), 4, torch.Generator().manual_seed(0))
    start, texts = tmp_path / "pretrained_model", {"sweep": "sweep the cube"}
    save_checkpoint(start, policy, memory={"sweep": frames}, remembered=texts)
    path, shared = tmp_path / "few.json", options(tiny_arguments)
    asked = ["--init", str(start), "--tasks", "push", "--demonstrations", "2", "--json", str(path)]
    few_shot.main([*asked, "--starts", "pretrained,memory", *shared])
    without, with_memory = read(path)["points"]
    assert without["learning"] != with_memory["learning"]

    run = ["run", "--task-stream", "push", "--strategy", "replay", "--demonstrations", "2", *shared]
    folder = tmp_path / "run"
    assert main([*run, "--policy.init", str(start), "--output-dir", str(folder)]) == 0
    assert read(folder / "results.json")["per_task"][0]["learning"] == with_memory["learning"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--init", "none"], "name pretrained weights by --init"),
        (["--starts", "nowhere"], "there is no start 'nowhere'"),
        (["--demonstrations=-1"], "demonstrations is -1; it must be 0 or more"),
        (["--tasks", "pusch"], "did you mean 'push'?"),
        (["--modes", "all"], "there is no adaptation mode 'all'"),
        (["--plot-only"], "holds no points of this benchmark"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    few_shot: ModuleType,
    saved_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    arguments: list[str],
    part: str,
) -> None:
    path = tmp_path / "few.json"
    words = ["--init", str(saved_checkpoint), "--json", str(path), "--policy.execute-length", "2"]
    with pytest.raises(SystemExit) as caught:
        few_shot.main([*words, *arguments])
    assert caught.value.code == 2 and not path.exists()
    error = capsys.readouterr().err.partition("error: ")[2]
    assert part in check_sentence(error.removesuffix("\n"))


def test_weights_of_another_digest_are_refused(few_shot: ModuleType, tmp_path: Path) -> None:
    kept = {"weights_sha256": "a", "train": {"max_steps": 4}}
    few_shot.check_settings(tmp_path, kept, {**kept})
    with pytest.raises(few_shot.ResultsError, match="with weights_sha256 'a', but now it is 'b'"):
        few_shot.check_settings(tmp_path, kept, {**kept, "weights_sha256": "b"})
    with pytest.raises(few_shot.ResultsError, match=r"with train\.max_steps 4, but now it is 5"):
        few_shot.check_settings(tmp_path, kept, {**kept, "train": {"max_steps": 5}})
    with pytest.raises(few_shot.ResultsError, match="with split None"):
        few_shot.check_settings(tmp_path, kept, {**kept, "split": "test"})


def test_the_mean_is_that_of_all_episodes(few_shot: ModuleType) -> None:
    row = {"start": "scratch", "mode": "full", "demonstrations": 5, "episodes": 50}
    row |= {"trained_parameters": 7, "total_parameters": 9}
    points = [{**row, "success": 0.2, "adapt_s": 1.0}, {**row, "success": 0.6, "adapt_s": 2.0}]
    (mean,) = few_shot.means(points)
    assert (mean["success"], mean["adapt_s"], mean["tasks"]) == (0.4, 1.5, 2)
    assert mean["interval"] == list(few_shot.wilson_interval(40, 100))
