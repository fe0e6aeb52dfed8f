"""The strategy: Avalanche's SupervisedTemplate on batches of frames, with our plugins."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lam_agent.config import RunConfig
from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.batches import FrameLoader, Frames, ObservationBatch, TargetBatch
from lam_agent.continual.capture import Numbers, Tensors, restore_training
from lam_agent.continual.features import see_frames
from lam_agent.continual.loss import CloningLoss
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.continual.plugins import (
    RATE_FACTOR,
    GuardPlugin,
    SchedulePlugin,
    ValidationPlugin,
)
from lam_agent.continual.precision import autocast
from lam_agent.continual.training_state import changing, load_plugins
from lam_agent.optimisation.augmentation import augmented, random_shift
from lam_agent.policy.policy import PolicyOutput, VisualActionPolicy
from lam_agent.seeding import child_seed, torch_generator
from lam_agent.types import Progress, no_progress

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
        #: Frames of the experience, and the same as training draws them: images or features.
        self.frames = self.seen = Frames({}, *(torch.empty(0) for _ in range(5)))
        self.generator = torch.Generator()
        self.on_step = on_step
        self.validation = validation
        self.losses: list[float] = []
        self.carried = plugins
        self.resume_from: tuple[Tensors, Numbers] | None = None
        self._prepared: int | None = None
        self._parts: list[tuple[ObservationBatch, TargetBatch]] = []
        train = config.train
        policy.set_dropout(train.dropout)
        super().__init__(
            model=policy,
            optimizer=self._new_optimizer(policy),
            criterion=CloningLoss(
                policy.normaliser,
                train.auxiliary_weight,
                outputs_weight=config.outputs_weight,
                demonstrations_weight=config.demonstrations_weight,
            ),
            train_mb_size=config.batch_size,
            train_epochs=1,
            device=policy.device,
            plugins=[
                SchedulePlugin(config.learning_rate, config.max_steps, train.warmup_steps),
                *plugins,
                GuardPlugin(train.clip_norm),
                validation,
            ],
            evaluator=_no_evaluator(),
        )

    def _new_optimizer(self, policy: VisualActionPolicy) -> torch.optim.Optimizer:
        train = self.config.train
        groups: dict[float, list[torch.nn.Parameter]] = {1.0: []}
        for name, parameter in policy.named_parameters():
            if parameter.requires_grad:
                factor = train.encoder_rate if name.startswith("encoders.") else 1.0
                groups.setdefault(factor, []).append(parameter)
        return torch.optim.AdamW(
            [{"params": trained, RATE_FACTOR: factor} for factor, trained in groups.items()],
            lr=self.config.learning_rate,
            weight_decay=train.weight_decay,
            fused=True,
        )

    def make_optimizer(self, **kwargs: Any) -> None:
        self.optimizer = self._new_optimizer(self.model)
        self.optimized_param_id: dict[str, Any] = {}

    def prepare(self, position: int, progress: Progress = no_progress) -> None:
        """Let frozen encoders see all frames that an experience trains on, each once.

        Training does so itself where nobody did; this call shows how far it is.

        Args:
            position: The experience.
            progress: Told how far each task is.
        """
        generator = torch_generator(self.config.seed, "augment", position)

        def view(frames: Frames) -> Frames:
            if not self.model.is_encoder_frozen:
                return frames
            return see_frames(self.model, frames, self.config.augment, generator, progress)

        if self._prepared != position:
            self.frames = self.visits[position]
            self.seen = view(self.frames)
            for plugin in self.plugins:
                if isinstance(plugin, StrategyPlugin):
                    plugin.prepare(view)
            self._prepared = position

    def train_dataset_adaptation(self, **kwargs: Any) -> None:
        position = self.experience.current_experience
        self.prepare(position)
        self.generator = torch_generator(self.config.seed, "train", position)
        torch.manual_seed(child_seed(self.config.seed, "torch", position))

    def make_train_dataloader(self, **kwargs: Any) -> None:
        train = self.config.train
        label, count = self.experience.current_experience, self.config.batch_size * train.accumulate
        self.dataloader = FrameLoader(
            [(self.seen, label, count)], self.config.max_steps, self.generator
        )

    def _unpack_minibatch(self) -> None:
        super()._unpack_minibatch()
        count = self.config.train.accumulate
        strides = [slice(first, None, count) for first in range(count)]  # Each has all tasks.
        self._parts = [(self.mb_x[stride], self.mb_y[stride]) for stride in strides]

    def forward(self) -> PolicyOutput:
        """Compute the last part of the batch; the gradients of those before it are added here."""
        for observation, target in self._parts[:-1]:
            share = self._criterion(self._output(observation), target) / len(self._parts)
            share.backward()
            self.loss += share.detach()
        return self._output(self._parts[-1][0])

    def criterion(self) -> torch.Tensor:
        loss: torch.Tensor = self._criterion(self.mb_output, self._parts[-1][1])
        return loss / len(self._parts)

    def loss_on(self, observation: ObservationBatch, target: TargetBatch) -> torch.Tensor:
        """Return the loss on a batch of any task, on the strategy's device; a scalar."""
        loss: torch.Tensor = self._criterion(self._output(observation), target)
        return loss

    def _output(self, batch: ObservationBatch) -> PolicyOutput:
        train, augment = self.config.train, self.config.augment
        images = random_shift(batch.images, train.shift_pixels, self.generator)
        if augment.copies and images:
            share = augment.copies / (1 + augment.copies)
            images = augmented(images, augment, self.generator, share)
        with autocast(self.device):
            output: PolicyOutput = self.model(
                images, batch.proprioception, batch.bags, batch.features
            )
        return output

    def _before_training_exp(self, **kwargs: Any) -> None:
        self.losses = []
        super()._before_training_exp(**kwargs)

    def _before_training_epoch(self, **kwargs: Any) -> None:
        super()._before_training_epoch(**kwargs)
        if self.resume_from is not None:
            restore_training(self, *self.resume_from)
            load_plugins(changing(self.carried), self.resume_from[0], self.device)
            self.resume_from = None

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self._prepared = None

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
