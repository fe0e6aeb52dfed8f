"""Training that is cut between two gradient steps and goes on in a new strategy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_agent.continual.capture import capture_model, capture_training, restore_model
from lam_agent.continual.snapshot import Snapshot, load_snapshot, save_snapshot, snapshot_file
from lam_agent.continual.training_state import load_plugins, plugin_tensors
from lam_agent.errors import CheckpointError

MakeLab = Callable[..., Any]

STRATEGIES = ("naive", "replay", "packnet", "ewc", "mas", "l2", "agem", "cumulative")
SUCCESSES = {0: [0.5, 0.5, 0.5], 1: [0.2, 1.0, 0.1]}
TRAIN = {"max_steps": 5, "validate_every": 2, "average_decay": 0.9, "shift_pixels": 2}


def train(lab: Any, position: int) -> list[Snapshot]:
    """Train on an experience; return a snapshot for each step."""
    taken = []

    def on_step(step: int) -> None:
        tensors, numbers = capture_training(lab.strategy)
        copies = {name: value.clone() for name, value in tensors.items()}
        taken.append(Snapshot(position, False, 0, numbers, {}, copies))

    lab.strategy.on_step = on_step
    lab.train(position)
    return taken


AGAIN = "packnet, a task that comes again"
FROZEN = {"shift_pixels": 0, "accumulate": 2, "dropout": 0.1}

CASES = [
    *((strategy, "full", step) for strategy in STRATEGIES for step in (1, 2, 3, 4, 5)),
    ("naive", "trunk", 3),
    ("ewc", "trunk", 3),
    ("replay", "lora", 2),
    ("cumulative", "adapter", 4),
    (AGAIN, "trunk", 3),
]


@pytest.mark.parametrize(("strategy", "adapt", "step"), CASES)
def test_training_goes_on_between_any_two_steps(
    make_lab: MakeLab,
    make_frames: Callable[..., Any],
    tmp_path: Path,
    strategy: str,
    adapt: str,
    step: int,
) -> None:
    train_settings = {**TRAIN, "adapt": adapt, **(FROZEN if adapt != "full" else {})}
    at_start: list[float] = []
    if strategy == AGAIN:  # Then it is validated once more, at the start.
        visits = {position: make_frames(20, seed=position) for position in range(3)}
        strategy, at_start, train_settings["visits"] = "packnet", [0.9], visits
    successes = [*SUCCESSES[0], *at_start, *SUCCESSES[1]]
    unbroken = make_lab(strategy, successes=successes, **train_settings)
    train(unbroken, 0)
    tensors, numbers = capture_model(unbroken.strategy)
    carried = plugin_tensors(unbroken.plugins)
    save_snapshot(tmp_path / "0", Snapshot(0, True, 3, numbers, {"total": 1.5}, tensors | carried))
    taken = train(unbroken, 1)
    save_snapshot(tmp_path / "1", taken[step - 1])
    torch.rand(7)  # What else is drawn must not matter.

    done = step // 2 + (step == 5)
    left = [*at_start, *SUCCESSES[1][done:]]
    resumed = make_lab(strategy, successes=left, **train_settings)
    before, broken = load_snapshot(tmp_path / "0"), load_snapshot(tmp_path / "1")
    assert before is not None and broken is not None
    restore_model(resumed.strategy, before.tensors, before.numbers)
    load_plugins(resumed.plugins, before.tensors, torch.device("cpu"))
    for plugin in resumed.plugins:
        if hasattr(plugin, "earlier"):
            plugin.earlier[:] = [resumed.visits[0]]
    resumed.strategy.resume_from = (broken.tensors, broken.numbers)
    again = train(resumed, 1)

    assert len(again) == len(taken) - step
    for found, expected in zip(again, taken[step:], strict=True):
        assert found.numbers == expected.numbers
        assert set(found.tensors) == set(expected.tensors)
        for name, value in expected.tensors.items():
            assert torch.equal(found.tensors[name], value), name
    weights = unbroken.weights()
    assert all(torch.equal(weights[name], value) for name, value in resumed.weights().items())
    assert resumed.validation.curve == unbroken.validation.curve
    assert vars(resumed.strategy.clock) == vars(unbroken.strategy.clock)
    ours, theirs = plugin_tensors(resumed.plugins), plugin_tensors(unbroken.plugins)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("at_step", [2, 5])
def test_an_early_stop_stays_one(make_lab: MakeLab, strategy: str, at_step: int) -> None:
    settings = {**TRAIN, "patience": 1}
    unbroken = make_lab(strategy, successes=[1.0 if at_step == 2 else 0.5, 0.5, 1.0], **settings)
    taken = train(unbroken, 0)
    last = taken[-1]
    assert len(taken) == at_step and last.numbers["is_stopped"]
    resumed = make_lab(strategy, **settings)
    resumed.strategy.resume_from = (last.tensors, last.numbers)
    assert train(resumed, 0) == []
    weights = unbroken.weights()
    assert all(torch.equal(weights[name], value) for name, value in resumed.weights().items())
    # What is kept of the experience is drawn after the loop, which draws a batch before it breaks.
    ours, theirs = plugin_tensors(resumed.plugins), plugin_tensors(unbroken.plugins)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_the_second_experience_after_a_resumed_one_begins_at_its_start(make_lab: MakeLab) -> None:
    unbroken = make_lab("replay", **TRAIN)
    taken = train(unbroken, 0)
    train(unbroken, 1)
    resumed = make_lab("replay", **TRAIN)
    resumed.strategy.resume_from = (taken[2].tensors, taken[2].numbers)
    assert len(train(resumed, 0)) == 2
    assert len(train(resumed, 1)) == 5
    weights = unbroken.weights()
    assert all(torch.equal(weights[name], value) for name, value in resumed.weights().items())


def test_a_folder_without_a_snapshot_has_none(tmp_path: Path) -> None:
    assert load_snapshot(tmp_path) is None


@pytest.mark.parametrize("damage", ["garbage", "short", "one bit", "newer", "no seal"])
def test_a_damaged_snapshot_is_refused(
    tmp_path: Path, check_sentence: Callable[[object], str], damage: str
) -> None:
    save_snapshot(tmp_path, Snapshot(0, True, 3, {"a": 1}, {}, {"w": torch.arange(40.0)}))
    path = snapshot_file(tmp_path)
    content = path.read_bytes()
    changed = {
        "garbage": b"garbage" * 50,
        "short": content[:-8],
        "one bit": content[:-1] + bytes([content[-1] ^ 1]),
        "newer": content.replace(b'"format_version":"1"', b'"format_version":"9"'),
        "no seal": content.replace(b"sha256", b"sha999"),
    }[damage]
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(CheckpointError) as caught:
        load_snapshot(tmp_path)
    words = check_sentence(caught.value)
    assert str(path) in words
    assert ("format version 9" in words) == (damage == "newer")
