"""Rows of the success matrix: which cells are needed, and filling those that are not there yet."""

from __future__ import annotations

import copy
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import torch

from lam_agent.checkpoint import load_initial_weights
from lam_agent.config import RunConfig
from lam_agent.errors import WorkerError
from lam_agent.evaluation.evaluate import Evaluation, evaluate_on_test
from lam_agent.loggers.metric_logger import MetricLogger
from lam_agent.metrics.pretraining_success import AFTER, BEFORE
from lam_agent.policy.backbone.weights import load_backbone_weights
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.progress import RunProgress
from lam_agent.running.folder import RunFolder
from lam_agent.running.record import RunRecord, pretrained_folder
from lam_agent.seeding import child_seed
from lam_agent.workers import EvaluationWorkers, Weights, single_thread


def initial_policy(config: RunConfig, device: str) -> VisualActionPolicy:
    """Return the policy before the stream: from a checkpoint, or with the seed's random weights."""
    torch.manual_seed(child_seed(config.seed, "weights"))
    policy = VisualActionPolicy(config.policy)
    if config.policy.init == "none":
        load_backbone_weights(policy.encoders, config.policy)
    else:
        load_initial_weights(policy, Path(config.policy.init), config.policy.init_part)
    return policy.to(device)


def needed_columns(config: RunConfig, row: int) -> range:
    """Return the columns of a row that are measured.

    All of row 0; of the others the tasks that are learned and the next one, which is what the
    metrics need, unless `--eval.full-matrix` asks for all; `joint` has no rows in between.
    """
    num_tasks = len(config.tasks)
    if config.strategy == "joint" and 0 < row < num_tasks:
        return range(0)
    is_whole = row == 0 or config.eval.full_matrix
    return range(num_tasks if is_whole else min(row + 1, num_tasks))


@dataclass(frozen=True)
class _Begun:
    """A row that is being measured.

    Attributes:
        row: The row.
        columns: Its columns that are needed and were not there.
        before: Tasks of pretraining that are needed with it and were not there.
        policy: Its policy, where it is needed; with workers a copy, as training goes on meanwhile.
        cells: Task -> evaluation by a worker; none without workers.
    """

    row: int
    columns: list[int]
    before: list[str]
    policy: VisualActionPolicy | None
    cells: dict[str, Future[Evaluation]]


class RowEvaluator:
    """Measures policies on the test starts and records the cells.

    `begin` hands a row to the workers and returns; `finish` waits for all that has begun and
    measures what no worker has taken up. Without workers `finish` measures everything.

    Args:
        config: The run's configuration.
        folder: The run folder, whose checkpoints hold the policies of earlier rows.
        record: Where cells are kept.
        logger: Where cells are logged.
        progress: Where it is shown.
        device: Device of the policies.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: RunFolder,
        record: RunRecord,
        logger: MetricLogger,
        progress: RunProgress,
        device: str,
    ) -> None:
        self.config = config
        self.folder = folder
        self.record = record
        self.logger = logger
        self.progress = progress
        self.device = device
        #: Measure beside the run; None without any.
        self.workers: EvaluationWorkers | None = None
        self._begun: list[_Begun] = []

    def begin(
        self, row: int, policy: VisualActionPolicy | None = None
    ) -> VisualActionPolicy | None:
        """Begin to measure the cells of a row that are needed and not there yet.

        Args:
            row: The row.
            policy: Its policy; None to load it from its checkpoint if a cell is missing. Without
                workers it must not change before `finish`.

        Returns:
            The policy that is measured, which stays what it is; None if it was not needed.
        """
        columns = needed_columns(self.config, row)
        missing = [column for column in columns if not self.record.matrix.evaluated[row, column]]
        place = self._place(row)
        before = [] if place is None else self.record.pretraining.missing(place)
        is_needed = bool(missing or before)
        if is_needed and policy is None:
            policy = self._policy_of(row)
        elif policy is not None and self.workers:
            policy = copy.deepcopy(policy)
        begun = _Begun(row, missing, before, policy, {})
        if is_needed and self.workers:
            assert policy is not None
            weights = Weights.of(policy)
            for task in self._tasks(begun):
                begun.cells[task] = self.workers.submit(weights, task)
        self._begun.append(begun)
        return policy

    def _place(self, row: int) -> int | None:
        """Return where a row stands in what is measured of pretraining; None for in between."""
        return {0: BEFORE, len(self.config.tasks): AFTER}.get(row)

    def _tasks(self, begun: _Begun) -> list[str]:
        """Return the tasks that are measured with a row, those of its columns first."""
        columns = [self.config.tasks[column] for column in begun.columns]
        return list(dict.fromkeys([*columns, *begun.before]))

    @property
    def has_begun(self) -> bool:
        """Whether a row has begun that is not finished."""
        return bool(self._begun)

    def finish(self) -> None:
        """Record and log the cells of all rows that have begun, once they are measured."""
        for begun in self._begun:
            self._finish(begun)
        self._begun.clear()
        if self.workers:
            self.record.workers_memory_mb = self.workers.peak_memory_mb

    def _finish(self, begun: _Begun) -> None:
        tasks, row = self.config.tasks, begun.row
        measured: dict[str, Evaluation] = {}
        if begun.columns or begun.before:
            with self.record.timed("evaluate"):
                measured = self._measure(begun)
            learned = "all tasks" if self.config.strategy == "joint" else tasks[row - 1]
            when = f"after {learned}" if row else "before the stream"
            rates = ", ".join(f"{task} {item.success_rate:.0%}" for task, item in measured.items())
            self.progress.say(f"Test success {when}: {rates}.")
        for column in begun.columns:
            self.record.add(row, column, measured[tasks[column]])
        for column in needed_columns(self.config, row):
            self.logger.write_once(
                "evaluation",
                {"row": row, "column": column},
                task=tasks[column],
                success=float(self.record.matrix.success[row, column]),
            )
        place = self._place(row)
        if place is None:
            return
        for task in begun.before:
            self.record.add_pretraining(place, measured[task])
        found = self.record.pretraining
        for task, rate in zip(found.tasks, found.success[place], strict=True):
            self.logger.write_once("pretraining", {"row": row, "task": task}, success=float(rate))

    def _measure(self, begun: _Begun) -> dict[str, Evaluation]:
        """Return the evaluation of each task of a row, in the order of its columns."""
        assert begun.policy is not None
        tasks = self._tasks(begun)
        if not begun.cells:
            return {task: self.evaluate(begun.policy, task) for task in tasks}
        measured = {}
        for task in reversed(tasks):  # Workers begin at the other end.
            if begun.cells[task].cancel():
                measured[task] = self._evaluate_as_worker(begun.policy, task)
        with self.progress.phase("waiting for workers") as update:
            for task in tasks:
                if task not in measured:
                    update(len(measured) / len(tasks), f"workers evaluate {task}")
                    measured[task] = self._take(begun, task)
        return {task: measured[task] for task in tasks}

    def _take(self, begun: _Begun, task: str) -> Evaluation:
        """Return what a worker measured, or measure it here where the worker failed."""
        try:
            return begun.cells[task].result()
        except WorkerError as error:
            self.progress.say(f"Warning: {error} The run measures it itself.")
        assert begun.policy is not None
        return self._evaluate_as_worker(begun.policy, task)

    def _evaluate_as_worker(self, policy: VisualActionPolicy, task: str) -> Evaluation:
        """Measure a cell on one thread, so that it does not matter who does."""
        with single_thread():
            return self.evaluate(policy, task, threads=1)

    def evaluate(
        self, policy: VisualActionPolicy, task: str, threads: int | None = None
    ) -> Evaluation:
        """Measure a policy on the test starts of a task.

        Args:
            policy: The policy.
            task: Name of the task.
            threads: CPU threads of the simulation; None for those of the run.
        """
        with self.progress.phase(f"evaluating {task}") as update:
            return evaluate_on_test(
                policy,
                task,
                self.config,
                threads=threads or self.config.threads,
                progress=update,
            )

    def _policy_of(self, row: int) -> VisualActionPolicy:
        """Return the policy that a row measures."""
        policy = initial_policy(self.config, self.device)
        if row:
            checkpoint = self.folder.checkpoint(row - 1, self.config.tasks[row - 1])
            load_initial_weights(policy, pretrained_folder(checkpoint))
        return policy
