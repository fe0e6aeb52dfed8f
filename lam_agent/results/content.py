"""What a run measured: success, metrics, protocol and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

from lam_agent.errors import ResultsError
from lam_agent.metrics.intervals import Interval
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results.checks import is_interval, is_number


@dataclass(frozen=True)
class WallTime:
    """Seconds of a run by phase.

    `encode` is what frozen encoders take to see all pictures once. Where workers measure beside
    training, `evaluate` is what the run waits for them, or measures itself.
    """

    collect: float
    adapt: float
    evaluate: float
    total: float
    encode: float = 0.0

    def __post_init__(self) -> None:
        _check_amounts(self, "cost.wall_time_s.")


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds, megabytes of 10^6 bytes, bytes and parameters.

    `total_parameters` counts what the adaptation mode adds to the policy while it is trained.
    `strategy_bytes` is all that the strategy keeps of earlier tasks, the replay buffer included:
    frames, importances, anchors, owners of weights; None in results of earlier versions.
    """

    wall_time_s: WallTime
    peak_memory_mb: float
    replay_bytes: int
    demonstration_bytes: int
    trainable_parameters: int
    total_parameters: int
    strategy_bytes: int | None = None

    def __post_init__(self) -> None:
        _check_amounts(self, "cost.")


@dataclass(frozen=True)
class Results:
    """What a run measured.

    Attributes:
        tasks: Names along the stream, one for each column of the matrix.
        strategy: Continual-learning strategy.
        seed: Seed of the run.
        protocol: How success was measured: `episodes`, `horizon` and more, as JSON holds it.
        matrix: Success of each task, before and along the stream.
        metrics: Values by name; None where not measured.
        cost: What the run took.
        experiences_done: Experiences that are learned and evaluated.
        intervals: Intervals of the metrics by name; None where there is none.
        per_task: More about each task, as JSON holds it.
        versions: Versions of the packages by name.
        finished: Whether the whole stream is done.
        videos: `task`, `outcome`, `episode` and `path` of each, relative to the run folder.
        references: Bounds by name (`single_task`, `joint`, `naive`); None where not measured.
        pretraining: Success on tasks that the initial weights learned, before and after the stream.
        perturbed: Success in randomised scenes; None where not measured.
    """

    tasks: tuple[str, ...]
    strategy: str
    seed: int
    protocol: Mapping[str, Any]
    matrix: SuccessMatrix
    metrics: Mapping[str, float | None]
    cost: Cost
    experiences_done: int
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    per_task: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    finished: bool = True
    videos: tuple[Mapping[str, Any], ...] = ()
    references: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    pretraining: PretrainingSuccess = field(default_factory=lambda: PretrainingSuccess.empty(()))
    perturbed: Perturbed | None = None

    def __post_init__(self) -> None:
        if len(self.tasks) != self.matrix.num_tasks:
            raise ResultsError(
                f"the success matrix has {self.matrix.num_tasks} columns for {len(self.tasks)} "
                "tasks; there must be one for each."
            )
        for key in ("episodes", "horizon"):
            if key not in self.protocol:
                raise ResultsError(f"protocol.{key} is missing; it must be a whole number.")
        if self.perturbed and self.perturbed.matrix.num_tasks != len(self.tasks):
            raise ResultsError(
                f"perturbed has {self.perturbed.matrix.num_tasks} columns for {len(self.tasks)} "
                "tasks; there must be one for each."
            )
        by_factor = self.perturbed.by_factor if self.perturbed else None
        if by_factor and by_factor.tasks != tuple(dict.fromkeys(self.tasks)):
            raise ResultsError(
                f"perturbed.by_factor.tasks is {', '.join(by_factor.tasks)}; it must be the tasks "
                "of the run, each once."
            )
        for name, value in self.metrics.items():
            if value is not None and not is_number(value):
                raise ResultsError(f"metrics.{name} is {value!r}; it must be a number or null.")
        for name, interval in self.intervals.items():
            if interval is not None and not is_interval(interval):
                raise ResultsError(
                    f"intervals.{name} is {interval!r}; it must be two numbers in order or null."
                )
        if not 0 <= self.experiences_done <= len(self.tasks):
            raise ResultsError(
                f"experiences_done is {self.experiences_done}; it must be from 0 to "
                f"{len(self.tasks)}."
            )
        if self.finished and self.experiences_done < len(self.tasks):
            raise ResultsError(
                f"finished is true after {self.experiences_done} of {len(self.tasks)} experiences; "
                "it must be false until all are done."
            )


def learning_areas(per_task: Sequence[Mapping[str, Any]], count: int) -> list[float] | None:
    """Return the area under the learning curve of each task; None unless there are `count`."""
    areas = [entry.get("learning_area") for entry in per_task]
    measured = [float(area) for area in areas if area is not None]
    return measured if len(measured) == count else None


def _check_amounts(section: WallTime | Cost, prefix: str) -> None:
    """Refuse amounts that are no finite numbers from 0 on; counts must be whole."""
    for item in fields(section):
        value = getattr(section, item.name)
        if isinstance(value, WallTime) or (value is None and item.default is None):
            continue
        if not is_number(value) or value < 0 or (is_count(item) and value != int(value)):
            kind = "whole number" if is_count(item) else "number"
            raise ResultsError(
                f"{prefix}{item.name} is {value!r}; it must be a {kind}, at least 0."
            )


def is_count(item: Field[Any]) -> bool:
    """Tell whether an amount is a count."""
    return str(item.type).startswith("int")
