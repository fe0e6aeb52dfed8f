"""The strategy: Avalanche's SupervisedTemplate on batches of frames, with our plugins."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lam_agent.config import RunConfig
from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.batches import FrameLoader, Frames, ObservationBatch
from lam_agent.continual.capture import Numbers, Tensors, restore_training
from lam_agent.continual.ewc import EwcPlugin
from lam_agent.continual.loss import CloningLoss
from lam_agent.continual.plugins import GuardPlugin, SchedulePlugin, ValidationPlugin
from lam_agent.continual.precision import autocast
from lam_agent.continual.replay import CumulativePlugin, ReplayBuffer, ReplayPlugin
from lam_agent.policy.normaliser import random_shift
from lam_agent.policy.policy import PolicyOutput, VisualActionPolicy
from lam_agent.seeding import child_seed, torch_generator

import_avalanche()

from avalanche.training.plugins import EvaluationPlugin  # noqa: E402
from avalanche.training.templates import SupervisedTemplate  # noqa: E402


class AdaptationStrategy(SupervisedTemplate):  # type: ignore[misc]
    """Behaviour cloning of one experience after another.

    The optimiser is new in every experience, and all draws of an experience come from its own
    child seeds. Where `resume_from` is set to what `capture_training` returned, the next experience
    to be trained goes on from there.

    Args:
        policy: The policy; it is trained in place.
        config: The run's configuration.
        visits: Frames of each experience, by position in the stream; filled as they are collected.
        validation: Validates, chooses weights and stops an experience.
        plugins: Plugins of the continual-learning strategy.
        on_step: Called after each gradient step, with the number of those done in the experience.
            The strategy may be captured then.
    """

    def __init__(
        self,
        *,
        policy: VisualActionPolicy,
        config: RunConfig,
        visits: Mapping[int, Frames],
        validation: ValidationPlugin,
        plugins: Sequence[Any],
        on_step: Callable[[int], None],
    ) -> None:
        self.config = config
        self.visits = visits
        self.frames: Frames = Frames({}, *(torch.empty(0) for _ in range(5)))
        self.generator = torch.Generator()
        self.on_step = on_step
        self.validation = validation
        self.losses: list[float] = []
        self.resume_from: tuple[Tensors, Numbers] | None = None
        train = config.train
        super().__init__(
            model=policy,
            optimizer=self._new_optimizer(policy),
            criterion=CloningLoss(policy.normaliser, train.auxiliary_weight),
            train_mb_size=train.batch_size,
            train_epochs=1,
            device=policy.device,
            plugins=[
                SchedulePlugin(train.learning_rate, config.max_steps),
                *plugins,
                GuardPlugin(train.clip_norm),
                validation,
            ],
            evaluator=_no_evaluator(),
        )

    def _new_optimizer(self, policy: VisualActionPolicy) -> torch.optim.Optimizer:
        train = self.config.train
        trained = [p for p in policy.parameters() if p.requires_grad]
        return torch.optim.AdamW(
            trained, lr=train.learning_rate, weight_decay=train.weight_decay, foreach=True
        )

    def make_optimizer(self, **kwargs: Any) -> None:
        self.optimizer = self._new_optimizer(self.model)
        self.optimized_param_id: dict[str, Any] = {}

    def train_dataset_adaptation(self, **kwargs: Any) -> None:
        position = self.experience.current_experience
        self.frames = self.visits[position]
        self.generator = torch_generator(self.config.seed, "train", position)
        torch.manual_seed(child_seed(self.config.seed, "torch", position))

    def make_train_dataloader(self, **kwargs: Any) -> None:
        train = self.config.train
        label = self.experience.current_experience
        self.dataloader = FrameLoader(
            [(self.frames, label, train.batch_size)], self.config.max_steps, self.generator
        )

    def forward(self) -> PolicyOutput:
        batch: ObservationBatch = self.mb_x
        images = random_shift(batch.images, self.config.train.shift_pixels, self.generator)
        with autocast(self.device):
            output: PolicyOutput = self.model(images, batch.proprioception, batch.bags)
        return output

    def _before_training_exp(self, **kwargs: Any) -> None:
        self.losses = []
        super()._before_training_exp(**kwargs)

    def _before_training_epoch(self, **kwargs: Any) -> None:
        super()._before_training_epoch(**kwargs)
        if self.resume_from is not None:
            restore_training(self, *self.resume_from)
            self.resume_from = None

    def _after_training_iteration(self, **kwargs: Any) -> None:
        self.losses.append(float(self.loss.detach()))
        super()._after_training_iteration(**kwargs)
        self.on_step(self.clock.train_exp_iterations)

    def take_losses(self) -> float:
        """Return the mean loss of the gradient steps since the last call in the experience."""
        mean = sum(self.losses) / len(self.losses)
        self.losses = []
        return mean


def _no_evaluator() -> Any:
    """Return an evaluator without metrics, and without the warning that nothing is logged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EvaluationPlugin()


def make_plugins(config: RunConfig) -> list[Any]:
    """Return the plugins of the strategy that a configuration names."""
    if config.strategy == "replay":
        buffer = ReplayBuffer(int(config.replay.memory_mb * 1e6))
        return [ReplayPlugin(buffer, config.replay.batch_fraction)]
    if config.strategy == "ewc":
        return [EwcPlugin(config.ewc.strength, config.ewc.fisher_samples)]
    return [CumulativePlugin()] if config.strategy in ("cumulative", "joint") else []
