"""Rows of the success matrix: which cells are needed, and filling those that are not there yet."""

from __future__ import annotations

from pathlib import Path

import torch

from lam_agent.checkpoint import load_initial_weights
from lam_agent.config import RunConfig
from lam_agent.evaluate import Evaluation, evaluate
from lam_agent.logs import MetricLogger
from lam_agent.policy.backbone.weights import load_backbone_weights
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.progress import RunProgress
from lam_agent.record import RunRecord, pretrained_folder
from lam_agent.run_folder import RunFolder
from lam_agent.seeding import child_seed


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


class RowEvaluator:
    """Measures policies on the test starts and records the cells.

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

    def fill(self, row: int, policy: VisualActionPolicy | None = None) -> None:
        """Measure the cells of a row that are needed and not there yet.

        Args:
            row: The row.
            policy: Its policy; None to load it from its checkpoint if a cell is missing.
        """
        tasks = self.config.tasks
        columns = needed_columns(self.config, row)
        missing = [column for column in columns if not self.record.matrix.evaluated[row, column]]
        measured: dict[str, Evaluation] = {}
        if missing:
            policy = policy or self._policy_of(row)
            with self.record.timed("evaluate"):
                for task in dict.fromkeys(tasks[column] for column in missing):
                    measured[task] = self.evaluate(policy, task)
            when = f"after {tasks[row - 1]}" if row else "before the stream"
            rates = ", ".join(f"{task} {item.success_rate:.0%}" for task, item in measured.items())
            self.progress.say(f"Test success {when}: {rates}.")
        for column in missing:
            self.record.add(row, column, measured[tasks[column]])
        for column in columns:
            self.logger.write_once(
                "evaluation",
                {"row": row, "column": column},
                task=tasks[column],
                success=float(self.record.matrix.success[row, column]),
            )

    def evaluate(self, policy: VisualActionPolicy, task: str) -> Evaluation:
        """Measure a policy on the test starts of a task."""
        with self.progress.phase(f"evaluating {task}") as update:
            return evaluate(
                policy,
                task,
                episodes=self.config.eval.episodes,
                split="test",
                horizon=self.config.eval.horizon,
                threads=self.config.threads,
                sim=self.config.sim,
                progress=update,
            )

    def _policy_of(self, row: int) -> VisualActionPolicy:
        """Return the policy that a row measures."""
        policy = initial_policy(self.config, self.device)
        if row:
            checkpoint = self.folder.checkpoint(row - 1, self.config.tasks[row - 1])
            load_initial_weights(policy, pretrained_folder(checkpoint))
        return policy
