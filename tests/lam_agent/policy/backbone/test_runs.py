"""Runs and pretraining with a backbone in place of the camera encoders."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained


@pytest.mark.slow
@pytest.mark.usefixtures("kept_threads")
def test_a_run_with_a_frozen_backbone(
    tiny_arguments: list[str], tmp_path: Path, check_sentence: Callable[[object], str]
) -> None:
    sizes = [*tiny_arguments, "--task-stream", "reach", "--train.max-steps", "2"]
    encoder = ["--policy.encoder", "torchvision:shufflenet_v2_x0_5"]
    folder = tmp_path / "run"
    assert main(["run", *sizes, *encoder, "--adapt", "trunk", "--output-dir", str(folder)]) == 0
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    cost = results["cost"]
    assert cost["wall_time_s"]["encode"] > 0
    assert cost["trainable_parameters"] < cost["total_parameters"]
    policy, contract = load_pretrained(folder)
    assert contract.policy.encoder == policy.config.encoder == encoder[1]


@pytest.mark.usefixtures("kept_threads")
def test_an_unknown_backbone_leaves_no_run_folder(
    tiny_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("run", "pretrain"):
        where = "--output-dir" if command == "run" else "--output"
        sizes = tiny_arguments if command == "run" else ["--self-supervised.masked", "0"]
        folder = tmp_path / command
        encoder = ["--policy.encoder", "torchvision:resnet19"]
        assert main([command, *sizes, *encoder, where, str(folder)]) == 2
        assert "the nearest names are resnet18" in capsys.readouterr().err
        assert not folder.exists()
