"""Fixtures of the interchange tests: a home for Minari, and datasets as other people make them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
import pytest
import torch
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

from lam_agent.__main__ import main
from lam_agent.episodes import EpisodeSet
from lam_envs.mjcf import scene_path
from lam_envs.tasks.reach import Reach
from lam_envs.tasks.registry import _REGISTERED, register_task

STEPS = (5, 8)
"""Steps of the episodes of a dataset of other people."""


@pytest.fixture(autouse=True)
def minari_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Minari keeps the datasets of a test."""
    home = tmp_path / "minari"
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home))
    return home


@pytest.fixture
def slow_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Register a task with a control rate of its own; its name."""
    text = scene_path(Reach.model_file).read_text(encoding="utf-8")
    slow = text.replace("<actuator>", '<option timestep="0.005"/><actuator>')
    (tmp_path / "slow.xml").write_text(slow, encoding="utf-8")
    entries = {"name": "slow", "control_dt": 0.025, "model_file": str(tmp_path / "slow.xml")}
    monkeypatch.setattr("lam_envs.tasks.registry._REGISTERED", dict(_REGISTERED))
    register_task(type("Slow", (Reach,), entries))
    yield "slow"
    del gymnasium.registry["lam/Slow-v0"]


@pytest.fixture
def foreign_observations() -> Callable[[int], dict[str, Any]]:
    """Return observations of an episode of other people: nested, one for each control step."""

    def make(steps: int) -> dict[str, Any]:
        rng = np.random.default_rng(steps)
        shape = (steps + 1, 40, 40, 3)
        return {
            "images": {
                "table_camera": rng.integers(0, 256, shape, dtype=np.uint8),
                "hand_camera": rng.integers(0, 256, shape, dtype=np.uint8),
            },
            "robot": rng.random((steps + 1, 4)),
            "positions": rng.random((steps + 1, 6)),
        }

    return make


@pytest.fixture
def foreign_dataset(
    foreign_observations: Callable[[int], dict[str, Any]],
) -> Callable[..., list[EpisodeBuffer]]:
    """Make a dataset of other people, named `other/table-v0`; return what was put in."""

    def make(
        change: Callable[[dict[str, Any], dict[str, Any]], object] = lambda parts, spaces: None,
        dataset_id: str = "other/table-v0",
    ) -> list[EpisodeBuffer]:
        picture = spaces.Box(0, 255, (40, 40, 3), np.uint8)
        box: dict[str, Any] = {
            "observation_space": spaces.Dict(
                {
                    "images": spaces.Dict({"table_camera": picture, "hand_camera": picture}),
                    "robot": spaces.Box(-2.0, 2.0, (4,), np.float64),
                    "positions": spaces.Box(-2.0, 2.0, (6,), np.float64),
                }
            ),
            "action_space": spaces.Box(-1.0, 1.0, (4,), np.float64),
        }
        buffers = []
        for index, steps in enumerate(STEPS):
            parts: dict[str, Any] = {
                "observations": foreign_observations(steps),
                "actions": np.random.default_rng(index).uniform(-1, 1, (steps, 4)),
                "rewards": np.zeros(steps),
                "terminations": np.arange(steps) == steps - 1 if index else np.zeros(steps, bool),
                "truncations": np.zeros(steps, bool),
                "infos": {"success": np.arange(steps + 1) == 3 - 3 * index},
            }
            change(parts, box)
            buffers.append(EpisodeBuffer(**parts))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            minari.create_dataset_from_buffers(dataset_id, buffers, jpeg_encoding=False, **box)
        return buffers

    return make


@pytest.fixture(scope="session")
def assert_same_episodes() -> Callable[[EpisodeSet, EpisodeSet], None]:
    """Check that episodes are equal bit for bit."""

    def check(found: EpisodeSet, expected: EpisodeSet) -> None:
        for name in ("task", "look_every", "control_dt", "has_tracked"):
            assert getattr(found, name) == getattr(expected, name), name
        assert list(found._tensors()) == list(expected._tensors())
        for name, tensor in expected._tensors().items():
            other = found._tensors()[name]
            assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape), name
            assert torch.equal(other, tensor), name

    return check


@pytest.fixture
def own_folder(make_episodes: Callable[..., EpisodeSet], tmp_path: Path) -> Path:
    """A folder of demonstrations of reach and push."""
    folder = tmp_path / "own"
    for seed, task in enumerate(("reach", "push")):
        make_episodes(task, seed=seed).save(folder / f"{task}.safetensors")
    return folder


@pytest.fixture
def assert_imported(
    own_folder: Path,
    assert_same_episodes: Callable[[EpisodeSet, EpisodeSet], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str, str], None]:
    """Import both tasks by a command, from where `{task}` may stand for the task; compare them."""

    def check(command: str, source: str) -> None:
        new = tmp_path / "new"
        for task in ("reach", "push"):
            arguments = [command, source.format(task=task), "--task", task, "--output", str(new)]
            assert main(arguments) == 0
            assert f"Imported 3 demonstrations of {task}" in capsys.readouterr().out
            file = f"{task}.safetensors"
            assert_same_episodes(EpisodeSet.load(new / file), EpisodeSet.load(own_folder / file))
        assert main(arguments) == 2
        assert "push.safetensors exists already" in capsys.readouterr().err

    return check
