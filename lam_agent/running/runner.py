"""Run a stream: collect, adapt, evaluate, save, one experience after the other."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

import torch
from rich.console import Console

from lam_agent.checkpoint import (
    Memory,
    collected_tasks,
    load_memory,
    remembered_instructions,
    resolve_checkpoint,
)
from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import from_memory
from lam_agent.continual.stream import make_benchmark
from lam_agent.demonstrations.load import load_demonstrations, success_words, unstable_words
from lam_agent.episodes import EpisodeSet
from lam_agent.evaluation.video import encode_png, write_videos
from lam_agent.files import write_text_atomically
from lam_agent.interrupts import Interrupts
from lam_agent.loggers import FanOut, make_loggers
from lam_agent.loggers.metric_logger import MetricLogger
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.progress import RunProgress
from lam_agent.remembering import demonstrated_frames
from lam_agent.report.terminal import print_results
from lam_agent.report.write import write_report
from lam_agent.results import Results, write_results
from lam_agent.running.adaptation import Adaptation
from lam_agent.running.folder import RunFolder
from lam_agent.running.record import RunRecord, pretrained_folder, save_policy
from lam_agent.running.resume import ResumePoint, find_resume_point, remove_old_snapshots
from lam_agent.running.rows import RowEvaluator, initial_policy, needed_columns
from lam_agent.seeding import child_seed
from lam_agent.system import default_threads, describe_system, keep_freed_memory, resolve_device
from lam_agent.workers import evaluation_workers, share_cores
from lam_envs.tasks.registry import make_task


@dataclass(frozen=True)
class _Learned:
    """An experience that is trained, and not saved before its row is measured."""

    position: int
    policy: VisualActionPolicy
    replay_bytes: int
    strategy_bytes: int
    memory: Memory


class Runner:
    """One run of a task stream.

    Args:
        config: The configuration.
        folder: The run folder.
        console: Where progress and results are shown.
        interrupts: Says when a signal asks to stop.
        resume: Go on where the folder stands.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        console: Console,
        interrupts: Interrupts,
        *,
        resume: bool = False,
    ) -> None:
        keep_freed_memory()
        self.device = resolve_device(config.device)
        self.config = config = _with_shared_cores(config, self.device, folder if resume else None)
        self.tasks = config.tasks
        self.folder = folder
        self.console = console
        self.progress = RunProgress(console)
        self.logger = MetricLogger(folder.metrics)
        usual_threads = default_threads()
        torch.set_num_threads(config.threads or usual_threads)
        self.policy = initial_policy(config, self.device)
        factor_seed = child_seed(config.seed, "factors")
        freeze(self.policy, config.adapt, rank=config.adaptation.rank, seed=factor_seed)
        self.record = RunRecord(config, self.policy)
        self.adaptation = Adaptation(
            config, folder, self.policy, self.record, self.logger, self.progress, interrupts
        )
        self.rows = RowEvaluator(
            config, folder, self.record, self.logger, self.progress, self.device
        )
        #: Of the tasks from before the stream whose frames are replayed.
        self.instructions_before = remembered_instructions(config)
        self._unsaved: _Learned | None = None
        self.point = ResumePoint()
        if resume:
            self._resume()
        self.logger.also = self._make_loggers()

    def run(self) -> Results:
        """Run what is left of the stream.

        Returns:
            The results, which are also in the run folder.
        """
        try:
            with evaluation_workers(self.config) as self.rows.workers:
                return self._run()
        finally:
            self.logger.also.close()

    def _run(self) -> Results:
        system = describe_system(self.device, torch.get_num_threads())
        system["workers"] = self.config.workers
        write_text_atomically(self.folder.environment, json.dumps(system, indent=2) + "\n")
        workers = (
            f", test success by --workers {self.config.workers}" if self.config.workers else ""
        )
        self.progress.say(
            f"Adapting to {' → '.join(self.tasks)} with {self.config.strategy}, seed "
            f"{self.config.seed}, on {self.device} ({torch.get_num_threads()} threads){workers}."
        )
        self._say_what_is_trained()
        done = self.record.experiences_done
        for row in range(done + 1):  # Cells that are missing because the stream has grown.
            self.rows.begin(row, self.policy if row == 0 and not self.point.latest else None)
        if done < len(self.tasks):
            self._collect()
            self.remember()
            self.adaptation.check_room()
            if not self.config.workers:
                self._finish_rows()
            visits = self.adaptation.visits
            benchmark = make_benchmark([visits[i] for i in range(len(self.tasks))])
            for experience in list(benchmark.train_stream)[max(done, self.config.first_position) :]:
                self.adaptation.adapt(experience)
                self._finish_rows()  # With workers, that of the experience before.
                self._begin_row(experience.current_experience)
                if not self.config.workers:
                    self._finish_rows()
        self._finish_rows()
        self._write_videos()
        return self._write_results(finished=True)

    def _say_what_is_trained(self) -> None:
        """Say what is frozen, and warn where that is encoders which have learned nothing."""
        if self.config.strategy == "packnet":
            self.progress.say(
                f"Each task takes {self.config.packnet.share:.1%} of the weights that are trained "
                "for itself."
            )
        if self.config.adapt == "full":
            return
        trained, total = (self.policy.num_parameters(trainable=t) for t in (True, False))
        self.progress.say(
            f"Adaptation mode {self.config.adapt}: {trained:,} of {total:,} parameters are trained."
        )
        if self.config.policy.init == "none":
            self.progress.say(
                "Warning: the camera encoders are random and frozen, so the policy sees little; "
                "start from a pretrained policy by --policy.init."
            )
        elif self.config.policy.init_part == "encoders" and self.config.adapt != "trunk":
            self.progress.say(
                "Warning: the trunk is random and frozen, so the policy acts on little; take all "
                "of the checkpoint, or adapt by --adapt trunk or full."
            )

    def show(self, results: Results) -> None:
        """Write the final results and print them, with where everything is."""
        self._write_files(results)
        print_results(results, self.console)
        last = self.folder.checkpoint(len(self.tasks) - 1, self.tasks[-1])
        self.progress.say(f"Results: {self.folder.results} and {self.folder.report}")
        self.progress.say(f"Checkpoint: {pretrained_folder(last)}")

    def _collect(self) -> None:
        """Collect or load the demonstrations of every task."""
        episodes: dict[str, EpisodeSet] = {}
        visits: dict[int, Frames] = {}
        for position, task in enumerate(self.tasks):
            if task not in episodes:
                start = time.monotonic()
                with (
                    self.record.timed("collect"),
                    self.progress.phase(f"collecting {task}") as update,
                ):
                    episodes[task], is_cached = load_demonstrations(task, self.config, update)
                seconds = time.monotonic() - start
                self.progress.say(
                    f"{'Loaded' if is_cached else 'Collected'} {episodes[task].num_episodes} "
                    f"demonstrations of {task} "
                    f"({success_words(episodes[task])}) "
                    f"in {seconds:.0f} s."
                )
                self.record.unstable_demonstrations[task] = episodes[task].num_unstable
                if episodes[task].num_unstable:
                    self.progress.say(unstable_words(task, episodes[task]))
                for camera, images in episodes[task].images.items():
                    picture = encode_png(images[0].numpy())
                    self.logger.write_once(
                        "first_frame", {"task": task, "camera": camera}, png=picture
                    )
            instruction = make_task(task).instruction
            chunk_length = self.config.policy.chunk_length
            visits[position] = Frames.from_episodes(episodes[task], instruction, chunk_length)
        self.record.demonstration_bytes = sum(item.num_bytes for item in episodes.values())
        first = max(self.record.experiences_done, self.config.first_position)
        self.adaptation.fill(visits, first)

    def remember(self) -> None:
        """Keep frames of what the initial weights learned, unless the run goes on with them.

        Strategies without a buffer keep none.
        """
        config, name = self.config, self.config.policy.init
        if not config.keeps_pretraining or self.point.trained is not None:
            return
        asked = config.pretraining
        if asked.demonstrations is None:
            memory = load_memory(resolve_checkpoint(name))
            for task, tensors in memory.items():
                self.adaptation.remember(task, from_memory(tensors))
            if memory:
                self.progress.say(
                    f"Keeping {len(memory)} tasks that {name} can do by the frames that it carries."
                )
            return
        tasks = collected_tasks(asked, config.policy)
        phase = self.progress.phase("collecting what the policy can do")
        with self.record.timed("collect"), phase as update:
            found = demonstrated_frames(tasks, config, asked.demonstrations, update)
            for task, frames in found:
                self.adaptation.remember(task, frames)
        self.progress.say(
            f"Keeping {len(tasks)} tasks that {name} can do by {asked.demonstrations} "
            "demonstrations each."
        )

    def _begin_row(self, position: int) -> None:
        """Begin to measure the policy after an experience."""
        policy = self.rows.begin(position + 1, self.policy)
        kept = (self.adaptation.replay_bytes, self.adaptation.strategy_bytes)
        memory = self.adaptation.memory()
        self._unsaved = _Learned(position, policy or self.policy, *kept, memory)

    def _finish_rows(self) -> None:
        """Finish the rows that have begun; save the last one's checkpoint and the results."""
        if not self.rows.has_begun:
            return
        self.rows.finish()
        learned, self._unsaved = self._unsaved, None
        if learned is not None:
            checkpoint = self.folder.checkpoint(learned.position, self.tasks[learned.position])
            save_policy(
                checkpoint,
                learned.policy,
                self.record,
                learned.position,
                learned.memory,
                self.instructions_before,
            )
            self.folder.point_last_at(checkpoint)
            self.record.experiences_done = learned.position + 1
            self.record.replay_bytes = learned.replay_bytes
            self.record.strategy_bytes = learned.strategy_bytes
        if learned is not None or self.record.experiences_done < len(self.tasks):
            self._write_results(finished=False)

    def _write_videos(self) -> None:
        """Write the videos that are asked for."""
        if not self.config.video:
            return
        with self.record.timed("evaluate"):
            for task in dict.fromkeys(self.tasks):
                if task not in self.record.last_evaluations:
                    self.record.last_evaluations[task] = self.rows.evaluate(self.policy, task)
            with self.progress.phase("writing videos") as update:
                self.record.videos = write_videos(
                    self.policy,
                    self.record.last_evaluations,
                    self.folder.videos,
                    self.config,
                    update,
                )

    def _write_results(self, *, finished: bool) -> Results:
        results = self.record.results(finished=finished)
        self._write_files(results)
        remove_old_snapshots(self.folder, self.tasks, results.experiences_done)
        return results

    def _write_files(self, results: Results) -> None:
        """Write results and report."""
        write_results(self.folder.results, results)
        write_report(self.folder.path)

    def _resume(self) -> None:
        """Load what the folder holds: weights, plugins and the rows that were measured."""
        self.folder.clean()
        self.point = find_resume_point(self.folder, self.tasks, self.config.first_position)
        if self.point.results is not None:
            self.record.load(self.point.results)
        self.adaptation.restore(self.point)
        latest = self.point.latest
        if latest is not None:
            self.record.load_seconds(latest.seconds)
            self.logger.cut(latest.log_bytes)
        else:
            self.logger.cut(0)
        words = f"after {self.record.experiences_done} of {len(self.tasks)} experiences"
        if self.point.training is not None:
            step = self.point.training.numbers["clock"]["train_exp_iterations"]
            words += f" and {step} steps of {self.tasks[self.point.training.position]}"
        self.progress.say(f"Going on with {self.folder.path} {words}.")

    def _make_loggers(self) -> FanOut:
        """Make the loggers beside metrics.jsonl; they go on where the run does."""
        training = self.point.training
        position = training.position if training else self.record.experiences_done
        step = training.numbers["clock"]["train_exp_iterations"] if training else 0
        return make_loggers(self.config, self.folder.path, position=position, step=step)


def _with_shared_cores(config: RunConfig, device: str, resumed: RunFolder | None) -> RunConfig:
    """Return the configuration with the numbers of workers and threads that the run has.

    Rounding depends on the threads, and on whether workers measure: a resumed run keeps both.
    """
    threads = resumed.recorded("threads", 1) if resumed else None
    if resumed is not None and threads is not None:  # Else it was stopped before it began.
        workers = resumed.recorded("workers", 0) or 0
        if device != "cpu":  # They would measure on CPU cores what the run measures on a GPU.
            workers = 0
        return replace(config, threads=threads, workers=workers)
    rows = range(len(config.tasks) + 1)
    tasks = [{config.tasks[column] for column in needed_columns(config, row)} for row in rows]
    num_cells = sum(map(len, tasks)) + 2 * len(config.pretraining.measured)
    for row in (0, -1):
        tasks[row].update(config.pretraining.measured)
    workers, own_threads = share_cores(config, device, num_cells, max(map(len, tasks)))
    return replace(config, threads=own_threads, workers=workers)
