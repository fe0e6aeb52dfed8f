"""Runs in adaptation modes: results, reports and checkpoints; going on where one was broken off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained
from lam_agent.continual.snapshot import load_snapshot
from lam_agent.controller import Controller
from lam_agent.running.adaptation import Adaptation

pytestmark = pytest.mark.usefixtures("kept_threads")


def content(folder: Path) -> dict[str, Any]:
    """Return what must not depend on interruptions."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    del results["sha256"], results["cost"]["wall_time_s"], results["cost"]["peak_memory_mb"]
    found: dict[str, Any] = {"results": results}
    for name in ("000_reach", "001_push"):
        checkpoint = folder / "checkpoints" / name
        found[name] = (checkpoint / "pretrained_model/model.safetensors").read_bytes()
    snapshot = load_snapshot(checkpoint)
    assert snapshot is not None and snapshot.is_trained
    found["state"] = {k: v.numpy().tobytes() for k, v in snapshot.tensors.items()}
    return found


def test_a_run_of_lora_that_is_broken_off_goes_on_to_the_same_end(
    tiny_arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    settings = [*tiny_arguments, "--adapt", "lora", "--strategy", "replay"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(["run", *settings, "--output-dir", str(whole)]) == 0
    printed = capsys.readouterr().out.splitlines()
    (warning,) = (line for line in printed if line.startswith("Warning: "))
    assert "random and frozen" in check_sentence(warning)

    after_step = Adaptation._after_step

    def break_off(adaptation: Adaptation, step: int) -> None:
        after_step(adaptation, step)
        if (adaptation.position, step) == (1, 2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Adaptation, "_after_step", break_off)
        assert main(["run", *settings, "--output-dir", str(broken)]) == 130
    snapshot = load_snapshot(broken / "checkpoints/001_push")
    assert snapshot is not None and not snapshot.is_trained
    assert main(["run", "--resume", str(broken)]) == 0
    ours, theirs = content(broken), content(whole)
    for name in theirs:
        assert ours[name] == theirs[name], name

    results = json.loads((whole / "results.json").read_text(encoding="utf-8"))
    assert results["protocol"]["adapt"] == "lora"
    cost = results["cost"]
    assert 0 < cost["trainable_parameters"] < cost["total_parameters"]
    assert cost["wall_time_s"]["encode"] > 0
    policy, contract = load_pretrained(whole / "checkpoints/last")
    assert 0 < policy.num_parameters(trainable=False) < cost["total_parameters"]
    assert Controller.load(whole, task="push") and contract.policy.adapter_size == 0
    for report in ("report.md", "report.html"):
        words = (whole / report).read_text(encoding="utf-8")
        assert "lora" in words and f"{cost['trainable_parameters']:,}" in words
    state = load_snapshot(whole / "checkpoints/001_push")
    assert state is not None
    (features,) = (v for k, v in state.tensors.items() if k.endswith("0.features"))
    assert features.dtype == torch.float16
