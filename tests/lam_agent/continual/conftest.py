"""Strategies on tiny frames: the real Avalanche loop, with validation by given numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from lam_agent.config import (
    AdaptationConfig,
    AugmentConfig,
    EwcConfig,
    PolicyConfig,
    ReplayConfig,
    RunConfig,
    TrainConfig,
)
from lam_agent.continual.batches import Frames
from lam_agent.continual.make_plugins import make_plugins
from lam_agent.continual.plugins import ValidationPlugin
from lam_agent.continual.strategy import AdaptationStrategy
from lam_agent.continual.stream import make_benchmark
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import child_seed

STREAM = ("reach", "push", "drawer-open")


@dataclass
class Lab:
    """A strategy with a stream of tiny experiences.

    Attributes:
        strategy: The strategy.
        validation: Its validation plugin.
        plugins: Plugins of the continual-learning strategy.
        visits: Frames of each experience.
        experiences: The stream.
        validated: Weights at each validation.
    """

    strategy: AdaptationStrategy
    validation: ValidationPlugin
    plugins: list[Any]
    visits: dict[int, Frames]
    experiences: list[Any]
    validated: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def train(self, *positions: int) -> None:
        """Train on experiences, one after the other."""
        for position in positions:
            self.strategy.train(self.experiences[position], eval_streams=[])

    def weights(self) -> dict[str, torch.Tensor]:
        """Return copies of the policy's parameters."""
        return {k: v.detach().clone() for k, v in self.strategy.model.named_parameters()}


@pytest.fixture
def make_lab(small_sizes: dict[str, int], make_frames: Callable[..., Frames]) -> Callable[..., Lab]:
    """Make a lab; keywords change the settings of the training."""

    def make(
        strategy: str = "naive",
        *,
        successes: Iterable[float] = (),
        watchers: Sequence[Any] = (),
        visits: dict[int, Frames] | None = None,
        seed: int = 0,
        adapt: str = "full",
        store: str = "auto",
        outputs_weight: float | None = None,
        batch_fraction: float | None = None,
        copies: int = 0,
        **train: Any,
    ) -> Lab:
        settings = {"max_steps": 3, "validate_every": 2, "batch_size": 12, "average_decay": 0.0}
        config = RunConfig(
            task_stream=STREAM,
            strategy=strategy,
            seed=seed,
            adapt=adapt,
            adaptation=AdaptationConfig(rank=2, bottleneck=3),
            replay=ReplayConfig(
                store=store,  # type: ignore[arg-type]
                outputs_weight=outputs_weight,
                batch_fraction=batch_fraction,
            ),
            policy=PolicyConfig(init="none", **small_sizes),
            train=TrainConfig(**{**settings, **train}),
            augment=AugmentConfig(copies=copies),
            ewc=EwcConfig(fisher_samples=8),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(child_seed(seed, "weights"))
            policy = VisualActionPolicy(config.policy)
        freeze(policy, adapt, rank=config.adaptation.rank, seed=child_seed(seed, "factors"))
        if visits is None:
            visits = {
                position: make_frames(20, seed=position, mark=float(position), instruction=task)
                for position, task in enumerate(STREAM)
            }
        numbers = iter(successes)

        def validate() -> float:
            lab.validated.append(lab.weights())
            return next(numbers, 0.0)

        validation = ValidationPlugin(
            validate,
            every=config.validate_every,
            patience=config.patience,
            max_steps=config.train.max_steps,
            average_decay=config.train.average_decay,
            report=lambda step, loss, success: None,
            first=config.dense_steps,
        )
        plugins = make_plugins(config)
        adaptation = AdaptationStrategy(
            policy=policy,
            config=config,
            visits=visits,
            validation=validation,
            plugins=[*plugins, *watchers],
            on_step=lambda step: None,
        )
        stream = make_benchmark([visits[position] for position in range(len(visits))]).train_stream
        lab = Lab(adaptation, validation, plugins, visits, list(stream))
        return lab

    return make
