"""Adapting to one experience: train, log, save between gradient steps, go on where it broke off."""

from __future__ import annotations

import time
from typing import Any

import torch

from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.capture import capture_model, capture_training, restore_model
from lam_agent.continual.features import encode_frames
from lam_agent.continual.make_plugins import make_plugins
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.continual.plugins import ValidationPlugin
from lam_agent.continual.remembered import to_memory
from lam_agent.continual.snapshot import Snapshot, save_snapshot
from lam_agent.continual.strategy import AdaptationStrategy
from lam_agent.continual.training_state import changing, load_plugins, plugin_tensors
from lam_agent.errors import StrategyLoadError
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.interrupts import Interrupts
from lam_agent.loggers.metric_logger import MetricLogger
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.progress import RunProgress
from lam_agent.running.folder import RunFolder
from lam_agent.running.record import RunRecord
from lam_agent.running.resume import ResumePoint
from lam_agent.seeding import torch_generator
from lam_agent.types import Progress as ProgressCall
from lam_agent.types import no_progress


class Adaptation:
    """Trains the policy of a run on one experience after the other.

    Args:
        config: The run's configuration.
        folder: The run folder, where snapshots are written.
        policy: The policy; it is trained in place.
        record: Where learning curves and seconds are kept.
        logger: Where losses and validations are logged.
        progress: Where it is shown.
        interrupts: Says when a signal asks to stop.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        policy: VisualActionPolicy,
        record: RunRecord,
        logger: MetricLogger,
        progress: RunProgress,
        interrupts: Interrupts,
    ) -> None:
        self.config = config
        self.tasks = config.tasks
        self.folder = folder
        self.policy = policy
        self.record = record
        self.logger = logger
        self.progress = progress
        self.interrupts = interrupts
        self.visits: dict[int, Frames] = {}
        self.plugins = make_plugins(config)
        #: Those that run and checkpoint ask; Avalanche's own know nothing of either.
        self.strategy_plugins = [item for item in self.plugins if isinstance(item, StrategyPlugin)]
        self.position = 0
        self.point = ResumePoint()
        self._update: ProgressCall = no_progress
        train = config.train
        self.validation = ValidationPlugin(
            self._validate,
            every=config.validate_every,
            patience=config.patience,
            max_steps=config.max_steps,
            average_decay=train.average_decay,
            report=self._report_validation,
            first=config.dense_steps,
        )
        self.strategy = AdaptationStrategy(
            policy=policy,
            config=config,
            visits=self.visits,
            validation=self.validation,
            plugins=self.plugins,
            on_step=self._after_step,
        )

    @property
    def replay_bytes(self) -> int:
        """Return the bytes that replay buffers hold."""
        return sum(plugin.replay_bytes for plugin in self.strategy_plugins)

    @property
    def strategy_bytes(self) -> int:
        """Return the bytes of all that the strategy keeps of earlier tasks."""
        kept = sum(plugin.num_bytes for plugin in self.strategy_plugins)
        return kept + (self.policy.packs.num_bytes if self.policy.packs is not None else 0)

    def restore(self, point: ResumePoint) -> None:
        """Load the weights, plugins and clock of the last experience that is trained.

        Raises:
            StrategyLoadError: A plugin, which is of others, does not say what it carries on.
        """
        self.point = point
        forgetful = [type(item).__name__ for item in self.plugins if not hasattr(item, "state")]
        if forgetful and point.latest is not None:
            raise StrategyLoadError(
                f"the plugin {forgetful[0]} of the strategy {self.config.strategy!r} has no "
                "methods state and load_state, so that the run cannot go on as if it had not "
                "stopped; give it these (docs/strategies.md), or start the run anew."
            )
        if point.trained is not None:
            self._load(point.trained)

    def _load(self, trained: Snapshot) -> None:
        restore_model(self.strategy, trained.tensors, trained.numbers)
        load_plugins(self.plugins, trained.tensors, self.strategy.device)

    def _skip(self, trained: Snapshot) -> None:
        """Take over an experience that is trained, though not measured."""
        self._load(trained)
        self.record.learning[self.position] = trained.numbers["curve"]
        self._take_earlier(self.position + 1)

    def _take_earlier(self, count: int) -> None:
        """Hand the frames of the first experiences to plugins that keep all data."""
        for plugin in self.strategy_plugins:
            plugin.take_earlier([self.visits[position] for position in range(count)])

    def fill(self, visits: dict[int, Frames], first: int) -> None:
        """Take the frames of each visit; who keeps all data gets those before `first` anew."""
        self.visits.update(visits)
        self._take_earlier(first)

    def remember(self, task: str, frames: Frames) -> None:
        """Keep frames of a task that the policy learned before the stream, which is still as then.

        Args:
            task: Name of the task.
            frames: Its frames, with images, or those of a memory.
        """
        if self.config.is_encoder_frozen and frames.features is None:
            frames.features = encode_frames(self.policy, frames)
        generator = torch_generator(self.config.seed, "before", task)
        for plugin in self.strategy_plugins:
            plugin.remember(self.strategy, task, frames, generator)

    def check_room(self) -> None:
        """Refuse a replay buffer that is too small, before an experience is trained for nothing."""
        some = [frames.select(torch.arange(1)) for frames in self.visits.values()]
        for plugin in self.strategy_plugins:
            plugin.check_room(self.strategy, some)

    def memory(self) -> dict[str, dict[str, torch.Tensor]]:
        """Return frames of all tasks that a buffer has, as the policy's checkpoint carries them.

        Only frozen encoders see a picture later as they see it now.
        """
        config = self.config
        if not (config.is_encoder_frozen and config.memory.frames):
            return {}
        memory: dict[str, dict[str, torch.Tensor]] = {}
        for plugin in self.strategy_plugins:
            before, kept = plugin.kept()
            learned = zip(self.tasks, kept, strict=False)
            for task, frames in [*before.items(), *learned]:
                generator = torch_generator(config.seed, "memory", task)
                memory[task] = to_memory(
                    self.policy,
                    frames,
                    config.memory.frames,
                    generator,
                    is_tracked=task in before or config.train.auxiliary_weight > 0,
                )
        return memory

    def adapt(self, experience: Any) -> None:
        """Train on one experience, or on what is left of it."""
        self.position = experience.current_experience
        task = self.tasks[self.position]
        found = [item for item in (self.point.trained, self.point.training) if item is not None]
        training = next((item for item in found if item.position == self.position), None)
        if training is not None and training.is_trained:
            self._skip(training)
            return
        if training is not None:
            self.strategy.resume_from = (training.tensors, training.numbers)
        if self.config.is_encoder_frozen:
            with (
                self.record.timed("encode"),
                self.progress.phase(f"encoding the pictures of {task}") as update,
            ):
                self.strategy.prepare(self.position, update)
        start = time.monotonic()
        with (
            self.record.timed("adapt"),
            self.progress.phase(f"adapting to {self._words(task)}") as update,
        ):
            self._update = update
            with self.interrupts.deferred():
                self.strategy.train(experience, eval_streams=[])
                tensors, numbers = capture_model(self.strategy)
                tensors |= plugin_tensors(self.plugins)
                self._save_snapshot(tensors, {**numbers, "curve": self.validation.curve}, True)
        self.record.learning[self.position] = curve = self.validation.curve
        steps, success = int(curve[-1]["step"]), max(row["success"] for row in curve)
        remarks = [plugin.remark for plugin in self.strategy_plugins]
        self.progress.say(
            f"Adapted to {self._words(task)} in {steps} steps ({time.monotonic() - start:.0f} s); "
            f"{'; '.join([f'validation success {success:.0%}', *filter(None, remarks)])}."
        )

    def _words(self, task: str) -> str:
        """Return what is learned: the task, or all at once."""
        return "all tasks jointly" if self.config.strategy == "joint" else task

    def _after_step(self, step: int) -> None:
        """Log, save and stop between two gradient steps."""
        train, task = self.config.train, self.tasks[self.position]
        self._update(step / self.config.max_steps, f"adapting to {self._words(task)}, step {step}")
        if step % train.log_every == 0:
            self.logger.write(
                "training",
                position=self.position,
                task=task,
                step=step,
                loss=self.strategy.take_losses(),
                learning_rate=float(self.strategy.optimizer.param_groups[0]["lr"]),
            )
        if step % train.save_every == 0 or self.interrupts.is_pending:
            tensors, numbers = capture_training(self.strategy)
            tensors |= plugin_tensors(changing(self.plugins))
            self._save_snapshot(tensors, numbers, False)
        self.interrupts.check()

    def _save_snapshot(
        self, tensors: dict[str, torch.Tensor], numbers: dict[str, Any], is_trained: bool
    ) -> None:
        """Write where the run stands."""
        self.logger.sync()
        checkpoint = self.folder.checkpoint(self.position, self.tasks[self.position])
        seconds = self.record.seconds_so_far()
        log_bytes = self.logger.num_bytes
        save_snapshot(
            checkpoint,
            Snapshot(self.position, is_trained, log_bytes, numbers, seconds, tensors),
        )

    def _validate(self) -> float:
        """Measure success on the validation starts of what is learned now."""
        config = self.config
        first = 0 if config.strategy == "joint" else self.position
        rates = [
            evaluate(
                self.policy,
                task,
                episodes=config.eval.validation_episodes,
                split="validation",
                horizon=config.eval.horizon,
                threads=config.threads,
                sim=config.sim,
                is_whole=False,
            ).success_rate
            for task in dict.fromkeys(self.tasks[first : self.position + 1])
        ]
        return sum(rates) / len(rates)

    def _report_validation(self, step: int, loss: float, success: float) -> None:
        task = self.tasks[self.position]
        self.logger.write(
            "validation", position=self.position, task=task, step=step, loss=loss, success=success
        )
