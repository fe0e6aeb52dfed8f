"""The loop of one stage: steps, schedule, average, log, snapshots, in one or several processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lam_agent.continual.capture import Tensors, capture_optimizer, part, restore_optimizer
from lam_agent.continual.precision import autocast
from lam_agent.errors import TrainingError
from lam_agent.interrupts import Interrupts
from lam_agent.loggers.metric_logger import MetricLogger
from lam_agent.optimisation.averaging import RunningAverage
from lam_agent.optimisation.schedule import rate_share
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.config import OptimiserConfig
from lam_agent.pretrain.processes import Processes
from lam_agent.seeding import child_seed
from lam_agent.types import Progress

_FINAL_SHARE = 0.02
"""Learning rate at the end of a stage, of its peak."""

Draw = Callable[[int, torch.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class Stage:
    """What a stage trains.

    Attributes:
        name: Its name, in the log and in errors.
        module: Takes what `draw` returns and gives weighted losses by name; holds the policy.
        draw: Returns the arguments of the module for a number of looks.
        steps: Gradient steps.
        blame: Says for arguments whose loss is not finite which task they are of.
    """

    name: str
    module: nn.Module
    draw: Draw
    steps: int
    blame: Callable[..., str]


class StageTraining:
    """Trains a stage; its state can be taken out between two steps and put back.

    Every step draws from a generator of its own seed, so that a resumed run draws what an unbroken
    one would.

    Args:
        stage: What to train.
        policy: The policy in the stage's module; its average is kept.
        config: How to optimise.
        seed: Seed of the run.
        processes: Which process this is.
    """

    def __init__(
        self,
        stage: Stage,
        policy: VisualActionPolicy,
        config: OptimiserConfig,
        *,
        seed: int,
        processes: Processes,
    ) -> None:
        self.stage = stage
        self.config = config
        self.step = 0
        #: Sums of the losses since the last row of the log, over the steps between two rows.
        self.losses: dict[str, float] = {}
        self.average = RunningAverage(policy, config.average_decay)
        self._seed = seed
        self._device = policy.device
        self._processes = processes
        self._module = stage.module.to(policy.device)
        self._shared = processes.share(self._module)
        self._generator = torch.Generator()
        self._optimiser = torch.optim.AdamW(
            self._module.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            foreach=True,
        )

    def run(
        self,
        *,
        log: MetricLogger | None,
        save: Callable[[], None],
        after_step: Callable[[int], None],
        interrupts: Interrupts,
        progress: Progress,
    ) -> None:
        """Train what is left of the stage.

        Args:
            log: Where losses are written; None in all processes but the first.
            save: Writes a snapshot.
            after_step: Called after each step with the number of those done.
            interrupts: Says when a signal asks to stop.
            progress: Called after each step.

        Raises:
            TrainingError: A loss or a gradient is not finite, in any of the processes.
            Interrupted: A signal came; the snapshot is written.
        """
        began, first = time.monotonic(), self.step
        while self.step < self.stage.steps:
            losses = self.take_step()
            for name, value in losses.items():
                share = value / self.config.log_every
                self.losses[name] = self.losses.get(name, 0.0) + share
            is_last = self.step == self.stage.steps
            if self.step % self.config.log_every == 0:
                if log is not None:
                    rate = (self.step - first) / (time.monotonic() - began)
                    log.write(self.stage.name, step=self.step, steps_per_second=rate, **self.losses)
                self.losses = {}
            words = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
            progress(self.step / self.stage.steps, f"{self.stage.name}: {words}")
            after_step(self.step)
            stops = self._processes.any(interrupts.is_pending)
            if self.step % self.config.save_every == 0 or is_last or stops:
                save()
            if stops:
                self._processes.wait()
                interrupts.check()

    def take_step(self) -> dict[str, float]:
        """Take one gradient step and return its losses."""
        self._set_learning_rate()
        self._generator.manual_seed(
            child_seed(self._seed, "pretrain", self.stage.name, self._processes.rank, self.step)
        )
        size = max(1, self.config.batch_size // self._processes.count)
        arguments = self.stage.draw(size, self._generator)
        with autocast(self._device):
            losses: Mapping[str, torch.Tensor] = self._shared(*arguments)
        loss = torch.stack(list(losses.values())).sum()
        self._require_finite(bool(torch.isfinite(loss)), "loss", arguments)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._module.parameters(), self.config.clip_norm)
        self._require_finite(bool(torch.isfinite(norm)), "gradient", arguments)
        self._optimiser.step()
        self.step += 1
        self.average.update(self.step)
        return {name: float(value.detach()) for name, value in losses.items()}

    def state(self) -> Tensors:
        """Return weights, average and optimiser as named tensors, for a file."""
        tensors = {f"module.{name}": p.detach() for name, p in self._module.named_parameters()}
        tensors |= {f"average.{name}": value for name, value in self.average.weights.items()}
        optimiser = capture_optimizer(self._module, self._optimiser)
        tensors |= {f"optimiser.{name}": value for name, value in optimiser.items()}
        return tensors

    def load_state(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """Undo `state`, taken after `step` steps."""
        self.step = step
        with torch.no_grad():
            for name, weight in self._module.named_parameters():
                weight.copy_(tensors[f"module.{name}"])
        self.average.load(part(tensors, "average."))
        restore_optimizer(self._module, self._optimiser, part(tensors, "optimiser."))

    def _set_learning_rate(self) -> None:
        share = rate_share(
            self.step,
            warmup_steps=self.config.warmup_steps,
            max_steps=self.stage.steps,
            final_share=_FINAL_SHARE,
        )
        for group in self._optimiser.param_groups:
            group["lr"] = self.config.learning_rate * share

    def _require_finite(self, is_finite: bool, what: str, arguments: tuple[Any, ...]) -> None:
        if not self._processes.any(not is_finite):
            return
        where = "another process" if is_finite else self.stage.blame(*arguments)
        raise TrainingError(
            f"the {what} is not finite in step {self.step + 1} of {self.stage.name} ({where}); the "
            "last snapshot is as it was: lower optimiser.learning-rate and resume, or look at the "
            "episodes."
        )
