"""Plugins of the training loop that every strategy uses: checks, schedule, validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.capture import part
from lam_agent.errors import TrainingError
from lam_agent.optimisation.averaging import RunningAverage
from lam_agent.optimisation.schedule import rate_share

import_avalanche()

from avalanche.core import SupervisedPlugin  # noqa: E402

_FINAL_SHARE = 0.05

RATE_FACTOR = "rate_factor"
"""Key of an optimiser's parameter group: factor on its learning rate."""


class GuardPlugin(SupervisedPlugin):  # type: ignore[misc]
    """Clips the gradient and refuses NaN and infinity.

    Args:
        clip_norm: Largest norm of the gradient.
    """

    def __init__(self, clip_norm: float) -> None:
        super().__init__()
        self.clip_norm = clip_norm

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        if not bool(torch.isfinite(strategy.loss)):
            raise TrainingError(
                f"the loss is {float(strategy.loss.detach())} in step "
                f"{strategy.clock.train_exp_iterations} of an experience; "
                "lower train.learning-rate or look at the demonstrations."
            )

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        groups = strategy.optimizer.param_groups
        trained = [parameter for group in groups for parameter in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, self.clip_norm)
        if not bool(torch.isfinite(norm)):
            raise TrainingError(
                f"the gradient's norm is {float(norm)} in step "
                f"{strategy.clock.train_exp_iterations} of an experience; "
                "lower train.learning-rate or look at the demonstrations."
            )


class SchedulePlugin(SupervisedPlugin):  # type: ignore[misc]
    """Raises the learning rate linearly, then lowers it along a cosine.

    Args:
        learning_rate: Peak.
        max_steps: Steps of an experience at which the cosine ends.
        warmup_steps: Steps in which it rises.
    """

    def __init__(self, learning_rate: float, max_steps: int, warmup_steps: int) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.max_steps = max_steps
        self.warmup_steps = warmup_steps

    def before_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        step = strategy.clock.train_exp_iterations
        share = rate_share(
            step,
            warmup_steps=self.warmup_steps,
            max_steps=self.max_steps,
            final_share=_FINAL_SHARE,
        )
        for group in strategy.optimizer.param_groups:
            group["lr"] = self.learning_rate * group[RATE_FACTOR] * share


class ValidationPlugin(SupervisedPlugin):  # type: ignore[misc]
    """Validates by rollouts, keeps the best weights, stops when the task is learned.

    What is validated and kept is a running average of the weights. Cloning loss is a poor proxy of
    success, so weights are chosen by success; of equal ones the later are kept: they were trained
    longer.

    Args:
        validate: Measures success on the current task's validation starts.
        every: Gradient steps between two validations.
        patience: Validations in a row at full success after which training stops.
        max_steps: Gradient steps of an experience, at most.
        average_decay: Decay of the running average.
        first: Gradient step before which nothing is validated.
        report: Called with step, loss and success after each validation.
    """

    def __init__(
        self,
        validate: Callable[[], float],
        *,
        every: int,
        patience: int,
        max_steps: int,
        average_decay: float,
        report: Callable[[int, float, float], None],
        first: int = 0,
    ) -> None:
        super().__init__()
        self.validate = validate
        self.first = first
        self.every = every
        self.patience = patience
        self.max_steps = max_steps
        self.average_decay = average_decay
        self.report = report
        self.curve: list[dict[str, float]] = []
        self._average: RunningAverage | None = None
        self._best_success = -1.0
        self._best_weights: dict[str, torch.Tensor] = {}
        self._full_in_a_row = 0
        self._losses: list[float] = []

    @property
    def best_success(self) -> float:
        """Success of the weights that are kept, below 0 where nothing was validated yet."""
        return self._best_success

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the running average and the best weights as named tensors, for a file."""
        average = {} if self._average is None else self._average.weights
        named = {f"average.{name}": value for name, value in average.items()}
        return named | {f"best.{name}": value for name, value in self._best_weights.items()}

    def numbers(self) -> dict[str, Any]:
        """Return the rest of the state, as JSON holds it."""
        return {
            "curve": [dict(point) for point in self.curve],
            "losses": list(self._losses),
            "best_success": self._best_success,
            "full_in_a_row": self._full_in_a_row,
        }

    def load(
        self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any], device: torch.device
    ) -> None:
        """Undo `tensors` and `numbers` in the same experience, which has just begun."""
        assert self._average is not None
        self._average.load(part(tensors, "average."))
        best = part(tensors, "best.")
        self._best_weights = {name: value.to(device) for name, value in best.items()}
        self.curve = [dict(point) for point in numbers["curve"]]
        self._losses = list(numbers["losses"])
        self._best_success = numbers["best_success"]
        self._full_in_a_row = numbers["full_in_a_row"]

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        self.curve, self._losses = [], []
        self._best_success, self._full_in_a_row = -1.0, 0
        self.restart_average(strategy.model)
        self._best_weights = {}
        # Avalanche clears this flag only when another epoch begins.
        strategy._stop_training = False

    def restart_average(self, model: nn.Module) -> None:
        """Begin the running average anew with a model's weights."""
        self._average = RunningAverage(model, self.average_decay)

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        self._losses.append(float(strategy.loss.detach()))
        # Avalanche's clock counts the iteration after this call.
        step = strategy.clock.train_exp_iterations + 1
        assert self._average is not None
        self._average.update(step)
        if step >= self.first and (step % self.every == 0 or step == self.max_steps):
            self._run_validation(strategy, self._average, step)

    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        assert self._average is not None
        self._average.write(self._best_weights)

    def _run_validation(self, strategy: Any, average: RunningAverage, step: int) -> None:
        """Validate the average, keep it if it is the best, stop if the task is learned."""
        with average.applied():
            success = self.validate()
        loss = sum(self._losses) / len(self._losses)
        self._losses = []
        self.curve.append({"step": step, "loss": loss, "success": success})
        self.report(step, loss, success)
        if success >= self._best_success:
            self._best_success = success
            self._best_weights = {name: value.clone() for name, value in average.weights.items()}
        self._full_in_a_row = self._full_in_a_row + 1 if success == 1.0 else 0
        if self._full_in_a_row >= self.patience:
            strategy.stop_training()
