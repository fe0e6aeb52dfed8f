"""Pretraining from episodes to weights: both stages, validation, snapshots, the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from lam_agent.checkpoint import Memory, load_initial_weights
from lam_agent.continual.batches import ObservationBatch, TargetBatch
from lam_agent.continual.snapshot import Snapshot, load_snapshot, save_snapshot
from lam_agent.evaluation.evaluate import Evaluation
from lam_agent.interrupts import Interrupts
from lam_agent.loggers.metric_logger import MetricLogger
from lam_agent.policy.backbone.weights import load_backbone_weights
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.cloning import MultiTaskCloning
from lam_agent.pretrain.config import PretrainConfig
from lam_agent.pretrain.corpus import Corpus, load_corpus
from lam_agent.pretrain.folder import PretrainFolder
from lam_agent.pretrain.processes import Processes
from lam_agent.pretrain.self_supervision import SelfSupervision
from lam_agent.pretrain.training import Stage, StageTraining
from lam_agent.pretrain.validation import spread, validate
from lam_agent.pretrain.weights import save_weights
from lam_agent.progress import RunProgress
from lam_agent.remembering import make_memory
from lam_agent.seeding import child_seed
from lam_agent.types import no_progress


class Pretraining:
    """One pretraining run.

    Args:
        config: The settings.
        folder: Where it writes.
        device: Device of the policy.
        processes: Which process this is.
        console: Where progress is shown; the other processes are silent.
        interrupts: Says when a signal asks to stop.
    """

    def __init__(
        self,
        config: PretrainConfig,
        folder: PretrainFolder,
        *,
        device: torch.device,
        processes: Processes,
        console: Console,
        interrupts: Interrupts,
    ) -> None:
        self.config = config
        self.folder = folder
        self.processes = processes
        self.interrupts = interrupts
        self.progress = RunProgress(console)
        self.log = MetricLogger(folder.metrics) if processes.is_first else None
        torch.manual_seed(child_seed(config.seed, "pretrain-weights"))
        self.policy = VisualActionPolicy(config.policy)
        load_backbone_weights(self.policy.encoders, config.policy)
        if config.policy.init != "none":
            load_initial_weights(self.policy, Path(config.policy.init), config.policy.init_part)
        self.policy.to(device)
        self.policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.seconds: dict[str, float] = {}
        self.validation_tasks = spread(config.tasks, config.cloning.validation_tasks)

    def run(self) -> None:
        """Run what is left, and write the weights."""
        corpus = self._load()
        self._say(f"{corpus.num_looks} looks of {len(self.config.tasks)} tasks.")
        reached = self._reached() if self.config.resume else None
        if reached is not None:
            self.seconds = dict(reached.seconds)
        for position, stage in enumerate(self._stages(corpus)):
            if reached is not None and position < reached.position:
                continue
            self._train(stage, position, reached)
            reached = None
        evaluations = self._validate("at the end", self.config.cloning.steps)
        if self.processes.is_first:
            save_weights(
                self.folder.weights,
                self.policy,
                self.config,
                evaluations,
                self.seconds,
                corpus,
                self._memory(),
            )
            self._say(f"Weights: {self.folder.weights}")
        self.processes.wait()

    def _reached(self) -> Snapshot | None:
        """Return where the run stands, and forget what was logged after that."""
        reached = load_snapshot(self.folder.path)
        # Snapshots of earlier versions do not tell how long the log was.
        if self.log is not None and (reached is None or "losses" in reached.numbers):
            self.log.cut(reached.log_bytes if reached else 0)
        return reached

    def _load(self) -> Corpus:
        """Collect once; the other processes then find the episodes in the cache."""
        start = time.monotonic()
        corpus = None
        if self.processes.is_first:
            corpus = load_corpus(self.config.demonstrations(), self.progress)
            cached = f" ({corpus.num_cached} tasks from the cache)" if corpus.num_cached else ""
            self.seconds[f"collect{cached}"] = time.monotonic() - start
        self.processes.wait()
        return corpus or load_corpus(self.config.demonstrations(), self.progress)

    def _stages(self, corpus: Corpus) -> list[Stage]:
        config, policy = self.config, self.policy
        cloning = MultiTaskCloning(policy, config.cloning.auxiliary_weight)

        def draw_pairs(size: int, generator: torch.Generator) -> tuple[Any, ...]:
            return corpus.pairs(size, generator).to(policy.device), generator

        def draw_batch(size: int, generator: torch.Generator) -> tuple[Any, ...]:
            observation, target, labels = corpus.batch(size, generator)
            return observation.to(policy.device), target.to(policy.device), labels

        def blame(observation: ObservationBatch, target: TargetBatch, labels: torch.Tensor) -> str:
            return f"task {self._worst_task(observation, target, labels)}"

        return [
            Stage(
                "self-supervision",
                SelfSupervision(policy, config.self_supervised),
                draw_pairs,
                config.self_supervised.steps,
                lambda *arguments: "all tasks",
            ),
            Stage("cloning", cloning, draw_batch, config.cloning.steps, blame),
        ]

    def _train(self, stage: Stage, position: int, reached: Snapshot | None) -> None:
        """Train a stage, from where a snapshot says; the policy is the average after it."""
        if not stage.steps:
            return
        training = StageTraining(
            stage,
            self.policy,
            self.config.optimiser,
            seed=self.config.seed,
            processes=self.processes,
        )
        if reached is not None:
            training.load_state(reached.tensors, reached.numbers["step"])
            training.losses = dict(reached.numbers.get("losses", {}))
            self._say(f"Going on with {stage.name} after step {training.step}.")
        before, start = self.seconds.get(stage.name, 0.0), time.monotonic()

        def save() -> None:
            self.seconds[stage.name] = before + time.monotonic() - start
            if self.log is not None:
                self.log.sync()
                numbers = {"step": training.step, "losses": training.losses}
                at, seconds = self.log.num_bytes, self.seconds
                save_snapshot(
                    self.folder.path,
                    Snapshot(position, False, at, numbers, seconds, training.state()),
                )

        def after_step(step: int) -> None:
            every = self.config.cloning.validate_every
            if stage.name == "cloning" and step % every == 0 and step < stage.steps:
                with training.average.applied():
                    self._validate(f"after step {step}", step)

        with self.progress.phase(stage.name) as update, self.interrupts.deferred():
            training.run(
                log=self.log,
                save=save,
                after_step=after_step,
                interrupts=self.interrupts,
                progress=update,
            )
        training.average.write()
        self._say(f"{stage.name}: {stage.steps} steps in {self.seconds[stage.name]:.0f} s.")

    def _validate(self, when: str, step: int) -> Sequence[Evaluation]:
        """Roll the policy out on some tasks; only the first process does."""
        if not self.processes.is_first or not self.config.cloning.steps:
            return ()
        cloning = self.config.cloning
        found = validate(
            self.policy,
            self.validation_tasks,
            episodes=cloning.validation_episodes,
            horizon=self.config.demonstrations().eval.horizon,
            threads=self.config.threads,
            progress=no_progress,
        )
        for item in found:
            if self.log is not None:
                self.log.write("validation", step=step, task=item.task, success=item.success_rate)
        rates = ", ".join(f"{item.task} {item.success_rate:.0%}" for item in found)
        self._say(f"Validation success {when}: {rates}.")
        return found

    def _memory(self) -> Memory:
        """Return frames of the tasks, if the policy has learned to do any."""
        config = self.config
        if not (config.cloning.steps and config.memory.frames):
            return {}
        with self.progress.phase("running what the policy can do") as update:
            return make_memory(self.policy, config.tasks, config.remembered_episodes(), update)

    @torch.no_grad()
    def _worst_task(
        self, observation: ObservationBatch, target: TargetBatch, labels: torch.Tensor
    ) -> str:
        """Return the first task of a batch whose loss is not finite."""
        output = self.policy(observation.images, observation.proprioception, observation.bags)
        numbers = torch.cat((output.actions, target.actions), 1).flatten(1)
        is_off = ~numbers.isfinite().all(1)
        rows = is_off.nonzero()[:, 0].tolist()
        return self.config.tasks[int(labels[rows[0]])] if rows else "unknown"

    def _say(self, words: str) -> None:
        if self.processes.is_first:
            self.progress.say(words)
