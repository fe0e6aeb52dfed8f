"""Run a stream: collect, adapt, evaluate, save, one experience after the other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console

from lam_agent.checkpoint import load_initial_weights
from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.plugins import ValidationPlugin
from lam_agent.continual.strategy import AdaptationStrategy, make_plugins
from lam_agent.continual.stream import make_benchmark
from lam_agent.continual.training_state import load_training_state, save_training_state
from lam_agent.demonstrations import load_demonstrations
from lam_agent.evaluate import Evaluation, evaluate
from lam_agent.files import write_text_atomically
from lam_agent.logs import MetricLogger
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.progress import RunProgress
from lam_agent.record import RunRecord, pretrained_folder, save_policy
from lam_agent.report.markdown import render_markdown
from lam_agent.report.terminal import print_results
from lam_agent.results import Results, read_results, write_results
from lam_agent.run_folder import RunFolder
from lam_agent.seeding import child_seed
from lam_agent.system import describe_system, keep_freed_memory, resolve_device
from lam_agent.video import write_videos
from lam_envs.tasks.registry import make_task


class Runner:
    """One run of a task stream.

    Args:
        config: The configuration.
        folder: The run folder.
        console: Where progress and results are shown.
        resume: Go on after the last experience that the folder holds.
    """

    def __init__(
        self, config: RunConfig, folder: RunFolder, console: Console, *, resume: bool = False
    ) -> None:
        keep_freed_memory()
        self.config = config
        self.folder = folder
        self.console = console
        self.progress = RunProgress(console)
        self.logger = MetricLogger(folder.metrics)
        self.device = resolve_device(config.device)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.tasks = config.task_stream
        torch.manual_seed(child_seed(config.seed, "weights"))
        self.policy = VisualActionPolicy(config.policy)
        if config.policy.init != "none":
            load_initial_weights(self.policy, Path(config.policy.init))
        self.policy.to(self.device)
        self.visits: dict[int, Frames] = {}
        self.plugins = make_plugins(config)
        self._step = self._show_nothing
        self.validation = ValidationPlugin(
            self._validate,
            every=config.train.validate_every,
            patience=config.train.patience,
            max_steps=config.train.max_steps,
            average_decay=config.train.average_decay,
            report=self._report_validation,
        )
        self.strategy = AdaptationStrategy(
            policy=self.policy,
            config=config,
            visits=self.visits,
            validation=self.validation,
            plugins=self.plugins,
            on_step=lambda step: self._step(step),
        )
        self.position = 0
        self.record = RunRecord(config, self.policy)
        if resume:
            self._resume()

    def run(self) -> Results:
        """Run what is left of the stream.

        Returns:
            The results, which are also in the run folder.
        """
        config = self.config
        system = describe_system(self.device, torch.get_num_threads())
        write_text_atomically(self.folder.environment, json.dumps(system, indent=2) + "\n")
        self.progress.say(
            f"Adapting to {' → '.join(self.tasks)} with {config.strategy}, seed {config.seed}, "
            f"on {self.device} ({torch.get_num_threads()} threads)."
        )
        self._collect()
        benchmark = make_benchmark([self.visits[i] for i in range(len(self.tasks))])
        if self.record.experiences_done == 0 and not self.record.has_row(0):
            self._evaluate_row(0)
        for experience in benchmark.train_stream:
            self.position = experience.current_experience
            if self.position < self.record.experiences_done:
                continue
            self._adapt(experience)
            self._evaluate_row(self.position + 1)
            self._save()
        if config.video:
            with self._timed("evaluate"), self.progress.phase("writing videos") as update:
                write_videos(
                    self.policy, self.record.last_evaluations, self.folder.videos, config, update
                )
        results = self._write_results(finished=True)
        print_results(results, self.console)
        last = self.folder.checkpoint(len(self.tasks) - 1, self.tasks[-1])
        self.progress.say(f"Results: {self.folder.results} and {self.folder.report}")
        self.progress.say(f"Checkpoint: {pretrained_folder(last)}")
        return results

    def _collect(self) -> None:
        """Collect or load the demonstrations of every task that is still to be learned."""
        episodes = {}
        for position, task in enumerate(self.tasks):
            if task not in episodes:
                start = time.monotonic()
                with self._timed("collect"), self.progress.phase(f"collecting {task}") as update:
                    episodes[task], is_cached = load_demonstrations(task, self.config, update)
                seconds = time.monotonic() - start
                self.progress.say(
                    f"{'Loaded' if is_cached else 'Collected'} {episodes[task].num_episodes} "
                    f"demonstrations of {task} "
                    f"({float(episodes[task].is_success.float().mean()):.0%} succeed) "
                    f"in {seconds:.0f} s."
                )
            instruction = make_task(task).instruction
            chunk_length = self.config.policy.chunk_length
            self.visits[position] = Frames.from_episodes(episodes[task], instruction, chunk_length)
        self.record.demonstration_bytes = sum(item.num_bytes for item in episodes.values())
        # A cumulative learner keeps all that it saw; it is filled anew from the same episodes.
        for plugin in self.plugins:
            if hasattr(plugin, "earlier"):
                plugin.earlier[:] = [self.visits[i] for i in range(self.record.experiences_done)]

    def _adapt(self, experience: object) -> None:
        """Train on one experience."""
        task = self.tasks[self.position]
        start = time.monotonic()
        with self._timed("adapt"), self.progress.phase(f"adapting to {task}") as update:
            most = self.config.train.max_steps
            self._step = lambda step: update(step / most, f"adapting to {task}, step {step}")
            self.strategy.train(experience, eval_streams=[])
            self._step = self._show_nothing
        curve = self.validation.curve
        self.record.learning[self.position] = curve
        steps, success = int(curve[-1]["step"]), max(row["success"] for row in curve)
        self.progress.say(
            f"Adapted to {task} in {steps} steps ({time.monotonic() - start:.0f} s); "
            f"validation success {success:.0%}."
        )

    def _evaluate_row(self, row: int) -> None:
        """Measure a row of the success matrix on the test starts."""
        config = self.config
        last = len(self.tasks) if config.eval.full_matrix or row == 0 else row + 1
        measured: dict[str, Evaluation] = {}
        for column, task in enumerate(self.tasks[:last]):
            if task not in measured:
                with self._timed("evaluate"), self.progress.phase(f"evaluating {task}") as update:
                    measured[task] = evaluate(
                        self.policy,
                        task,
                        episodes=config.eval.episodes,
                        split="test",
                        horizon=config.eval.horizon,
                        threads=config.threads,
                        progress=update,
                    )
            self.record.add(row, column, measured[task])
            self.logger.write(
                "evaluation", row=row, column=column, task=task, success=measured[task].success_rate
            )
        when = f"after {self.tasks[row - 1]}" if row else "before the stream"
        rates = ", ".join(f"{task} {item.success_rate:.0%}" for task, item in measured.items())
        self.progress.say(f"Test success {when}: {rates}.")

    def _save(self) -> None:
        """Save the checkpoint, the training state and the results so far."""
        checkpoint = self.folder.checkpoint(self.position, self.tasks[self.position])
        save_training_state(checkpoint, self.plugins)
        save_policy(checkpoint, self.policy, self.record, self.position)
        self.folder.point_last_at(checkpoint)
        self.record.experiences_done = self.position + 1
        self.record.replay_bytes = sum(
            plugin.buffer.num_bytes for plugin in self.plugins if hasattr(plugin, "buffer")
        )
        self._write_results(finished=False)

    def _write_results(self, *, finished: bool) -> Results:
        results = self.record.results(finished=finished)
        write_results(self.folder.results, results)
        write_text_atomically(self.folder.report, render_markdown(results))
        return results

    def _resume(self) -> None:
        """Load what the folder holds: weights, plugins and the rows that were measured."""
        if not self.folder.results.exists():
            return
        results = read_results(self.folder.results)
        self.record.load(results)
        done = results.experiences_done
        if done:
            checkpoint = self.folder.checkpoint(done - 1, self.tasks[done - 1])
            load_initial_weights(self.policy, pretrained_folder(checkpoint))
            load_training_state(checkpoint, self.plugins, self.device)
        self.progress.say(f"Going on with {self.folder.path} after {done} experiences.")

    def _validate(self) -> float:
        config = self.config
        return evaluate(
            self.policy,
            self.tasks[self.position],
            episodes=config.eval.validation_episodes,
            split="validation",
            horizon=config.eval.horizon,
            threads=config.threads,
        ).success_rate

    def _report_validation(self, step: int, loss: float, success: float) -> None:
        task = self.tasks[self.position]
        self.logger.write(
            "validation", position=self.position, task=task, step=step, loss=loss, success=success
        )

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of the block to a phase of the cost."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.record.seconds[phase] += time.monotonic() - start

    @staticmethod
    def _show_nothing(step: int) -> None:
        """Ignore gradient steps."""
