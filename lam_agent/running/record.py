"""What a run has measured so far, and how it becomes results and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from lam_agent.checkpoint import Memory, save_pretrained, weights_digest
from lam_agent.config import PolicyConfig, RunConfig
from lam_agent.demonstrations.folder import demonstration_source
from lam_agent.errors import ResultsError
from lam_agent.evaluation.acting import first_looks
from lam_agent.evaluation.evaluate import Evaluation
from lam_agent.metrics.definitions import compute_metrics, learning_area
from lam_agent.metrics.intervals import compute_intervals, pretraining_intervals
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.results import Cost, Results, WallTime, learning_areas
from lam_agent.system import package_versions, peak_memory_mb, simulation_on
from lam_envs.tasks.registry import make_task

_MAY_CHANGE = frozenset({"unstable_episodes", "demonstration_source"})
"""Entries of the protocol in which a resumed run may differ; sources are compared by themselves."""

_ON_UNSTABLE = {
    "raise": "the run stops",
    "drop": "a test episode fails, a demonstration is left out",
}
"""What happens to an episode whose physics breaks, in words."""


def pretrained_folder(checkpoint: Path) -> Path:
    """Return the folder of a checkpoint that a controller loads."""
    return checkpoint / "pretrained_model"


class RunRecord:
    """Success matrix, cost and learning curves of a run.

    Args:
        config: The run's configuration.
        policy: The policy, for its number of parameters.
    """

    def __init__(self, config: RunConfig, policy: VisualActionPolicy) -> None:
        self.config = config
        self.policy = policy
        self.source = demonstration_source(config)
        self._init_digest = weights_digest(config.policy.init)
        #: Kept, because making a task looks through all packages for its name.
        self.instructions = {task: make_task(task).instruction for task in set(config.tasks)}
        self.matrix = SuccessMatrix.empty(len(config.tasks))
        self.pretraining = PretrainingSuccess.empty(config.pretraining.measured)
        #: Measured by `lam-agent robustness` after the stream.
        self.perturbed: Perturbed | None = None
        self.learning: dict[int, list[dict[str, float]]] = {}
        self.last_evaluations: dict[str, Evaluation] = {}
        self.unstable_demonstrations: dict[str, int] = {}
        self.unstable_tests = 0
        self.seconds = {"collect": 0.0, "encode": 0.0, "adapt": 0.0, "evaluate": 0.0}
        self.demonstration_bytes = 0
        self.replay_bytes = 0
        self.strategy_bytes: int | None = None
        self.experiences_done = 0
        self.videos: list[dict[str, Any]] = []
        self.workers_memory_mb = 0.0
        self._unstable_before = 0
        self._peak_before = 0.0
        self._seconds_before = 0.0
        self._start = time.monotonic()
        self._phase: tuple[str, float] | None = None

    def add(self, row: int, column: int, evaluation: Evaluation) -> None:
        """Fill a cell of the success matrix."""
        self.matrix = self.matrix.with_cell(
            row,
            column,
            **evaluation.counts,
        )
        self.last_evaluations[evaluation.task] = evaluation
        self.unstable_tests += evaluation.num_unstable

    def add_pretraining(self, row: int, evaluation: Evaluation) -> None:
        """Fill a cell of a task that the initial weights learned: before or after the stream."""
        self.pretraining = self.pretraining.with_task(
            row,
            evaluation.task,
            **evaluation.counts,
        )
        self.unstable_tests += evaluation.num_unstable

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of the block to a phase of the cost."""
        start = time.monotonic()
        self._phase = (phase, start)
        try:
            yield
        finally:
            self.seconds[phase] += time.monotonic() - start
            self._phase = None

    def seconds_so_far(self) -> dict[str, float]:
        """Return the seconds by phase and in total, those of a phase under way included."""
        seconds = dict(self.seconds)
        if self._phase is not None:
            name, start = self._phase
            seconds[name] += time.monotonic() - start
        return {**seconds, "total": self._seconds_before + time.monotonic() - self._start}

    def load_seconds(self, seconds: Mapping[str, float]) -> None:
        """Take over the seconds of an earlier part of the run, if they are later ones."""
        if seconds["total"] >= self._seconds_before:
            self._seconds_before = seconds["total"]
            # Runs of earlier versions have no seconds of encoding.
            self.seconds = {name: seconds.get(name, 0.0) for name in self.seconds}

    @property
    def protocol(self) -> dict[str, Any]:
        """How success is measured, as JSON holds it."""
        config = self.config
        return {
            "adapt": config.adapt,
            "episodes": config.eval.episodes,
            "horizon": config.eval.horizon,
            "control_dt_s": make_task(config.tasks[0]).control_dt,
            "physics_engine": simulation_on(config.sim.engine, str(self.policy.device))[0],
            "success": "predicate holds at any step of the horizon",
            "validation_episodes": config.eval.validation_episodes,
            "demonstrations": config.demonstrations,
            "demonstration_seed": config.seed,
            "demonstration_source": self.source,
            "demonstration_randomisation": asdict(config.randomise),
            **({"augmentation": asdict(config.augment)} if config.augment.copies else {}),
            "start_seeds": "fixed for each (split, task, episode); splits are disjoint",
            "full_matrix": config.eval.full_matrix,
            "image_size": config.policy.image_size,
            "policy_init": _init_words(config.policy),
            "policy_init_sha256": self._init_digest,
            "unstable_episodes": {
                "rule": _ON_UNSTABLE[config.sim.on_unstable],
                "demonstrations": sum(self.unstable_demonstrations.values())
                or self._unstable_before,
                "test": self.unstable_tests,
            },
        }

    def results(self, *, finished: bool) -> Results:
        """Return the results so far."""
        seconds = self.seconds_so_far()
        per_task = tuple(
            {
                "position": position,
                "task": self.config.tasks[position],
                "instruction": self.instructions[self.config.tasks[position]],
                "learning": curve,
                "learning_area": self._learning_area(position),
            }
            for position, curve in self.learning.items()
        )
        return Results(
            tasks=self.config.tasks,
            strategy=self.config.strategy,
            seed=self.config.seed,
            protocol=self.protocol,
            matrix=self.matrix,
            metrics={
                **compute_metrics(self.matrix, learning_areas(per_task, len(self.config.tasks))),
                **self.pretraining.metrics(),
                **(self.perturbed.metrics() if self.perturbed else {}),
            },
            intervals={
                **compute_intervals(self.matrix, tasks=self.config.tasks),
                **pretraining_intervals(self.pretraining),
                **(self.perturbed.intervals(self.config.tasks) if self.perturbed else {}),
            },
            pretraining=self.pretraining,
            perturbed=self.perturbed,
            cost=Cost(
                wall_time_s=WallTime(**seconds),
                peak_memory_mb=max(self._peak_before, peak_memory_mb() + self.workers_memory_mb),
                replay_bytes=self.replay_bytes,
                strategy_bytes=self.strategy_bytes,
                demonstration_bytes=self.demonstration_bytes,
                trainable_parameters=self.policy.num_parameters(trainable=True),
                total_parameters=self.policy.num_parameters(trainable=False),
            ),
            experiences_done=self.experiences_done,
            per_task=per_task,
            versions=package_versions(),
            finished=finished,
            videos=tuple(self.videos),
        )

    def _learning_area(self, position: int) -> float | None:
        """Return the area under an experience's learning curve; it starts at the test success."""
        curve = self.learning[position]
        start = float(self.matrix.success[position, position])
        if self.config.strategy == "joint" or math.isnan(start) or not curve:
            return None
        steps, success = [row["step"] for row in curve], [row["success"] for row in curve]
        return learning_area(steps, success, start, self.config.max_steps)

    def load(self, results: Results) -> None:
        """Take over what an earlier part of the run measured.

        Raises:
            ResultsError: The results are incomplete, or the demonstrations are no longer the same.
        """
        before = results.protocol.get("demonstration_source", {}).get("sha256", {})
        for task, digest in before.items():
            if self.source.get("sha256", {}).get(task) != digest:
                raise ResultsError(
                    f"the demonstrations of {task} were changed since the run began (their SHA-256 "
                    "differs); put the file back or start a new run."
                )
        self._check_alike(results)
        self.matrix = results.matrix.grown(len(self.config.tasks))
        is_grown = len(results.tasks) < len(self.config.tasks)
        self.perturbed = None if is_grown else results.perturbed
        if results.pretraining.tasks == self.pretraining.tasks:
            is_whole = len(results.tasks) == len(self.config.tasks)
            measured = results.pretraining
            self.pretraining = measured if is_whole else measured.without_after()
        self.experiences_done = results.experiences_done
        try:
            self.learning = {row["position"]: list(row["learning"]) for row in results.per_task}
        except KeyError as error:
            raise ResultsError(
                f"per_task of the results lacks {error}; start the run anew."
            ) from error
        times = results.cost.wall_time_s
        self.load_seconds({item.name: getattr(times, item.name) for item in fields(times)})
        unstable = results.protocol.get("unstable_episodes", {})
        self.unstable_tests = unstable.get("test", 0)
        self._unstable_before = unstable.get("demonstrations", 0)
        self.replay_bytes = results.cost.replay_bytes
        self.strategy_bytes = results.cost.strategy_bytes
        self.demonstration_bytes = results.cost.demonstration_bytes
        self.videos = [dict(video) for video in results.videos]
        self._peak_before = results.cost.peak_memory_mb

    def _check_alike(self, results: Results) -> None:
        """Refuse results that were measured with other settings than the run has now."""

        def told(strategy: str, seed: int, protocol: Mapping[str, Any]) -> dict[str, Any]:
            return {"strategy": strategy, "seed": seed, "augmentation": None, **protocol}

        then = told(results.strategy, results.seed, results.protocol)
        now = told(self.config.strategy, self.config.seed, self.protocol)
        for name, value in then.items():
            if name in _MAY_CHANGE or name not in now or now[name] == value:
                continue
            if name == "physics_engine":
                raise ResultsError(
                    f"the run would go on with the physics engine {now[name]}, but its results are "
                    f"of {value}; add --sim.engine {value}, or start a new run."
                )
            raise ResultsError(
                f"the run's {name} is {now[name]!r}, but its results are of {value!r}; put "
                "its config.yaml and its initial weights back, or start a new run."
            )

    def success_row(self, row: int) -> dict[str, Any]:
        """Return a row of the matrix with the names of its columns, as JSON holds it."""
        evaluated = self.matrix.evaluated[row]

        def cells(values: Any) -> list[float | None]:
            return [float(v) if ok else None for v, ok in zip(values, evaluated, strict=True)]

        return {
            "task": list(self.config.tasks),
            "success": cells(self.matrix.success[row]),
            "success_at_end": cells(self.matrix.success_at_end[row]),
            "episodes": cells(self.matrix.episodes[row]),
        }


def save_policy(
    checkpoint: Path,
    policy: VisualActionPolicy,
    record: RunRecord,
    position: int,
    memory: Memory | None = None,
    remembered: Mapping[str, str] | None = None,
) -> None:
    """Write the folder that a controller loads, after an experience."""
    config = record.config
    learned = list(dict.fromkeys(config.tasks[: position + 1]))
    save_pretrained(
        pretrained_folder(checkpoint),
        policy,
        tasks={task: record.instructions[task] for task in learned},
        success_row=record.success_row(position + 1),
        # Workers have a thread each, and cells that the run measures in their place, too.
        protocol={
            **record.protocol,
            "strategy": config.strategy,
            "threads": 1 if config.workers else torch.get_num_threads(),
        },
        seeds={"seed": config.seed, "split": "test"},
        parity_observations=first_looks(learned[-1], config.policy.image_size, config.threads),
        parity_task=learned[-1],
        memory=memory,
        remembered=remembered,
    )


def _init_words(policy: PolicyConfig) -> str:
    """Return the name of the initial weights, and what is taken of them where that is not all."""
    name = Path(policy.init).name
    return name if policy.init_part == "all" else f"{name}, {policy.init_part}"
