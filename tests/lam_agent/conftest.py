"""Fixtures for all tests of lam_agent: a small policy, observations and a checkpoint of it."""

from __future__ import annotations

import importlib
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from lam_agent.checkpoint import save_pretrained
from lam_agent.config import PolicyConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.snapshot import load_snapshot
from lam_agent.episodes import EpisodeSet, regular_looks
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.tasks.registry import make_task

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]
ImportBenchmark = Callable[[str], ModuleType]


@pytest.fixture
def import_benchmark(monkeypatch: pytest.MonkeyPatch) -> ImportBenchmark:
    """Import a module of the benchmarks, which are not installed, by its name."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="session")
def small_sizes() -> dict[str, int]:
    """Sizes of a policy that is quick."""
    return {
        "image_size": 32,
        "width": 32,
        "heads": 2,
        "depth": 1,
        "adapter_size": 0,
        "encoder_depth": 1,
        "keypoints": 8,
        "channels": 8,
        "chunk_length": 4,
        "execute_length": 2,
    }


@pytest.fixture(scope="session")
def make_policy(small_sizes: dict[str, int]) -> MakePolicy:
    """Make a small policy with random weights; keywords change its sizes."""

    def make(seed: int = 3, **changes: Any) -> VisualActionPolicy:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return VisualActionPolicy(PolicyConfig(**{"init": "none", **small_sizes, **changes}))

    return make


@pytest.fixture(scope="session")
def make_observations(small_sizes: dict[str, int]) -> MakeObservations:
    """Make random observations of a number of robots."""

    def make(num_robots: int = 3, seed: int = 5) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        shape = (num_robots, small_sizes["image_size"], small_sizes["image_size"], 3)
        images = {
            camera: torch.randint(256, shape, generator=generator, dtype=torch.uint8)
            for camera in ("front", "wrist")
        }
        return {**images, "proprioception": torch.rand(num_robots, 4, generator=generator)}

    return make


@pytest.fixture(scope="session")
def instructions() -> dict[str, str]:
    """Task -> instruction of the saved checkpoint."""
    return {name: make_task(name).instruction for name in ("reach", "push")}


@pytest.fixture(scope="session")
def save_checkpoint(
    make_observations: MakeObservations, instructions: dict[str, str]
) -> Callable[..., None]:
    """Save a checkpoint; keywords change the arguments of `save_pretrained`."""

    def save_policy(folder: Path, policy: VisualActionPolicy, **changes: Any) -> None:
        arguments: dict[str, Any] = {
            "tasks": instructions,
            "success_row": {
                "task": ["reach", "push", "drawer-open"],
                "success": [0.96, 0.5, math.nan],
                "success_at_end": [0.9, 0.5, None],
                "episodes": [50, 50.0, math.nan],
            },
            "protocol": {"episodes": 50, "horizon": 200},
            "seeds": {"seed": 7},
            "parity_observations": make_observations(),
            "parity_task": "push",
        }
        save_pretrained(folder, policy, **{**arguments, **changes})

    return save_policy


@pytest.fixture(scope="session")
def saved_checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    save_checkpoint: Callable[..., None],
    make_policy: MakePolicy,
) -> Path:
    """A checkpoint that no test may change."""
    folder = tmp_path_factory.mktemp("saved") / "pretrained_model"
    save_checkpoint(folder, make_policy())
    return folder


@pytest.fixture
def checkpoint(saved_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint that a test may damage."""
    return Path(shutil.copytree(saved_checkpoint, tmp_path / "pretrained_model"))


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of demonstrations that all tests share, so that none touches the user's."""
    return tmp_path_factory.mktemp("demonstrations")


@pytest.fixture(scope="session")
def make_frames(small_sizes: dict[str, int]) -> Callable[..., Frames]:
    """Make random frames of a task; `mark` is the hand's x in each of them."""
    size, length = small_sizes["image_size"], small_sizes["chunk_length"]

    def make(
        count: int, *, seed: int = 11, mark: float = 0.0, instruction: str = "push the puck"
    ) -> Frames:
        generator = torch.Generator().manual_seed(seed)
        proprioception = torch.rand(count, 4, generator=generator)
        proprioception[:, 0] = mark
        return Frames(
            images={
                camera: torch.randint(
                    256, (count, size, size, 3), generator=generator, dtype=torch.uint8
                )
                for camera in ("front", "wrist")
            },
            proprioception=proprioception,
            tracked=torch.rand(count, 6, generator=generator),
            actions=torch.rand(count, length, 4, generator=generator) * 2 - 1,
            is_inside=torch.rand(count, length, generator=generator) < 0.9,
            bag=bag_of_words(instruction),
        )

    return make


@pytest.fixture(scope="session")
def make_episodes() -> Callable[..., EpisodeSet]:
    """Make episodes of random numbers; keywords change what an `EpisodeSet` holds."""

    def make(
        task: str = "push",
        *,
        lengths: Sequence[int] = (5, 3, 8),
        look_every: int = 2,
        size: int = 32,
        seed: int = 13,
        **changes: Any,
    ) -> EpisodeSet:
        generator = torch.Generator().manual_seed(seed)
        episode_start = torch.tensor([0, *lengths]).cumsum(0)
        look_step = regular_looks(episode_start, look_every)
        frames = len(look_step)
        values: dict[str, Any] = {
            "images": {
                camera: torch.randint(
                    256, (frames, size, size, 3), generator=generator, dtype=torch.uint8
                )
                for camera in ("front", "wrist")
            },
            "proprioception": torch.rand(frames, 4, generator=generator),
            "tracked": torch.rand(frames, 6, generator=generator),
            "look_step": look_step,
            "actions": torch.rand(sum(lengths), 4, generator=generator) * 2 - 1,
            "episode_start": episode_start,
            "is_success": torch.arange(len(lengths)) % 2 == 0,
            "look_every": look_every,
            "control_dt": 0.0125,
        }
        return EpisodeSet(task=task, **{**values, **changes})

    return make


@pytest.fixture(scope="session")
def check_sentence() -> Callable[[object], str]:
    """Return the words of an error, once they are one line that ends with a period."""

    def check(error: object) -> str:
        words = str(error)
        assert words.endswith("."), words
        assert "\n" not in words and ".." not in words and "Traceback" not in words, words
        return words

    return check


@pytest.fixture(scope="session")
def tiny_arguments(cache_dir: Path) -> list[str]:
    """Arguments of the README's main command with tiny sizes."""
    sizes = {
        "task-stream": "reach,push",
        "demonstrations": "4",
        "eval.episodes": "2",
        "eval.validation-episodes": "2",
        "eval.horizon": "24",
        "train.max-steps": "4",
        "train.validate-every": "2",
        "train.log-every": "2",
        "train.save-every": "1",
        "policy.init": "none",
        "policy.image-size": "32",
        "policy.width": "32",
        "replay.memory-mb": "0.5",
        "threads": "1",
        "device": "cpu",
        "collect.cache-dir": str(cache_dir),
    }
    words = [word for name, value in sizes.items() for word in (f"--{name}", value)]
    return [*words, "--collect.keep-failures"]  # The horizon is too short for a success.


@pytest.fixture(scope="session")
def run_command() -> Callable[..., list[str]]:
    """Return the command that runs a stream in a process of its own."""

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "lam_agent.run", *arguments]

    return command


@pytest.fixture(scope="session")
def tiny_run(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_arguments: list[str],
    run_command: Callable[..., list[str]],
) -> tuple[Path, str]:
    """Run the README's main command with tiny sizes; return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    command = run_command(*tiny_arguments, "--output-dir", str(folder), "--video", "1")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


@pytest.fixture
def copy(tiny_run: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the finished run with tiny sizes, which a test may change."""
    return Path(shutil.copytree(tiny_run[0], tmp_path / "copy", symlinks=True))


@pytest.fixture
def kept_threads() -> Iterator[None]:
    """Give torch its threads back after a command that runs in this process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def run_content() -> Callable[[Path], dict[str, Any]]:
    """Read all of a run that must not depend on interruptions."""

    def read(folder: Path) -> dict[str, Any]:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        del results["sha256"], results["cost"]["wall_time_s"], results["cost"]["peak_memory_mb"]
        results["videos"] = []
        found: dict[str, Any] = {"results.json": results}
        log = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        found["metrics.jsonl"] = [json.loads(line) for line in log]
        checkpoints = [path for path in (folder / "checkpoints").iterdir() if path.name != "last"]
        for path in sorted(checkpoints):
            found[path.name] = (path / "pretrained_model/model.safetensors").read_bytes()
        snapshots = [path for path in checkpoints if (path / "training_state").exists()]
        assert snapshots == [max(checkpoints)]
        snapshot = load_snapshot(max(checkpoints))
        assert snapshot is not None and snapshot.is_trained
        found["state"] = {
            **{name: value.numpy().tobytes() for name, value in snapshot.tensors.items()},
            "numbers": snapshot.numbers,
        }
        assert not [path for path in folder.rglob(".*") if path.name != "last"]
        return found

    return read


@pytest.fixture(scope="session")
def assert_same_run(run_content: Callable[[Path], dict[str, Any]]) -> Callable[..., None]:
    """Check that two runs ended alike; where only the order of their logs may differ, sort them."""

    def check(folder: Path, expected: Path, *, in_order: bool = True) -> None:
        ours, theirs = run_content(folder), run_content(expected)
        assert set(ours) == set(theirs)
        if not in_order:
            for found in (ours, theirs):
                found["metrics.jsonl"].sort(key=json.dumps)
        for name in theirs:
            assert ours[name] == theirs[name], name

    return check
