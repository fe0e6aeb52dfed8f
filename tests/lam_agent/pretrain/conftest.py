"""A corpus of two tasks that is quick to collect, shared by all tests of pretraining."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lam_agent.config import CollectConfig, MemoryConfig, PolicyConfig
from lam_agent.pretrain.config import (
    CloningConfig,
    OptimiserConfig,
    PretrainConfig,
    SelfSupervisedConfig,
)
from lam_agent.pretrain.corpus import Corpus, load_corpus
from lam_agent.progress import RunProgress

TASKS = ("reach-wall", "coffee-button")

MakeConfig = Callable[..., PretrainConfig]


@pytest.fixture(scope="session")
def pretrain_config(
    tmp_path_factory: pytest.TempPathFactory, small_sizes: dict[str, int]
) -> PretrainConfig:
    """A run of a few steps, whose episodes all tests share."""
    return PretrainConfig(
        tasks=TASKS,
        episodes=3,
        threads=1,
        self_supervised=SelfSupervisedConfig(steps=4),
        cloning=CloningConfig(steps=5, validation_tasks=1, validation_episodes=1),
        optimiser=OptimiserConfig(batch_size=8, save_every=2, log_every=2, warmup_steps=2),
        collect=CollectConfig(
            cache_dir=tmp_path_factory.mktemp("episodes"),
            play_fraction=0.5,
            keep_failures=True,
            look_every=8,
        ),
        policy=PolicyConfig(init="none", **small_sizes),
        memory=MemoryConfig(frames=5, episodes=2),
    )


@pytest.fixture
def make_config(pretrain_config: PretrainConfig, tmp_path: Path) -> MakeConfig:
    """Change settings of the run; it writes into a folder of the test's own."""

    def make(**changes: object) -> PretrainConfig:
        given = {"output": tmp_path / "pretrain", **changes}
        return replace(pretrain_config, **given)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def corpus(pretrain_config: PretrainConfig) -> Corpus:
    """Looks of both tasks."""
    return load_corpus(pretrain_config.demonstrations(), RunProgress(Console(quiet=True)))
