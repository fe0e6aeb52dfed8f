"""Several runs beside each other: which may be compared, and seeds of one strategy together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.metrics import MATRIX_METRICS, Metric
from lam_agent.metrics.cells import FloatArray
from lam_agent.metrics.intervals import MIN_SEEDS, Interval, aggregate_over_seeds, wilson_interval
from lam_agent.metrics.perturbed import ROBUST_METRICS
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.report.curves import SAMPLES, seen_metrics, seen_values
from lam_agent.report.words import adaptation_mode, perturbation_words, value_words
from lam_agent.results import Results, read_results

_OF_ONE_RUN = frozenset(
    f"protocol.{name}" for name in ("adapt", "demonstration_seed", "unstable_episodes")
)
"""Entries of the protocol that may differ: they are compared, or follow from seed or run."""

_OPTIONAL = frozenset({"protocol.policy_init_sha256", "perturbation", "pretraining.tasks"})
"""Entries that not all runs have: of earlier versions, or what is measured where it is asked for.
Those that have one must have the same."""

_MISSING = object()

Measured = tuple[float | None, Interval | None]
"""A value and its interval, each None where there is none."""


@dataclass(frozen=True)
class Run:
    """A run that is compared: where its results lie, a short name, and the results."""

    path: Path
    name: str
    results: Results


@dataclass(frozen=True)
class Series:
    """One row of a comparison: a run, or all seeds of a strategy.

    Attributes:
        title: Its strategy, and the adaptation mode where the runs have several.
        note: Its seeds, and the run's name where another run has its title and seed.
        metrics: Value and interval of each metric.
        finals: Success on each task after the last experience.
        seen: Row -> mean success over the tasks seen so far.
        rates: Success matrix, or its mean over the seeds, shape (T+1, T).
        matrix: The success matrix of the one run; None for several.
    """

    title: str
    note: str
    metrics: Mapping[str, Measured]
    finals: Sequence[Measured]
    seen: Mapping[str, Measured]
    rates: FloatArray
    matrix: SuccessMatrix | None


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """Read runs and check that they may stand beside each other.

    Raises:
        ResultsError: One cannot be read, is named twice, or differs in its tasks or protocol.
    """
    runs: list[Run] = []
    for path in paths:
        if any(path.resolve() == run.path.resolve() for run in runs):
            raise ResultsError(f"{path} is named twice; name each run once.")
        folder = path.resolve().parent.name
        runs.append(
            Run(path, folder if path.name == "results.json" else path.stem, read_results(path))
        )
    told = [_told(run.results) for run in runs]
    for key in dict.fromkeys(key for content in told for key in content):
        if key not in _OF_ONE_RUN:
            _check_alike(key, runs, [content.get(key, _MISSING) for content in told])
    return runs


def _told(results: Results) -> dict[str, Any]:
    """Return what runs that are compared must have alike, by what errors call it."""
    told: dict[str, Any] = {"tasks": list(results.tasks)}
    told |= {f"protocol.{name}": value for name, value in results.protocol.items()}
    if results.perturbed:
        told["perturbation"] = dict(results.perturbed.randomisation)
    if results.pretraining.tasks:
        told["pretraining.tasks"] = list(results.pretraining.tasks)
    return told


def _check_alike(key: str, runs: Sequence[Run], values: Sequence[Any]) -> None:
    """Refuse runs of which one has another value than the first that has one must share."""
    found = [
        (run, value)
        for run, value in zip(runs, values, strict=True)
        if key not in _OPTIONAL or value is not _MISSING
    ]
    (one, first), *others = found
    for other, value in others:
        if value == first:
            continue
        words = ["missing" if item is _MISSING else value_words(item) for item in (first, value)]
        raise ResultsError(
            f"{key} is {words[0]} in {one.path} but {words[1]} in {other.path}; compare runs of "
            "the same tasks and protocol."
        )


def perturbations(runs: Sequence[Run]) -> str:
    """Return what varied under perturbations, as a sentence that follows others; else nothing."""
    for run in runs:
        if run.results.perturbed:
            settings = perturbation_words(run.results.perturbed)
            return f" Under perturbations scenes differ by {settings}."
    return ""


def method_words(results: Results) -> str:
    """Return the strategy, and the adaptation mode where it is not `full`."""
    mode = adaptation_mode(results)
    return results.strategy if mode == "full" else f"{results.strategy}, {mode}"


def make_series(runs: Sequence[Run]) -> list[Series]:
    """Return the rows: one for each method with enough seeds, one for each other run.

    A method is a strategy in an adaptation mode. One with two runs of one seed is not put together:
    they differ in more than the seed.
    """
    has_modes = len({adaptation_mode(run.results) for run in runs}) > 1
    series = []
    for method in dict.fromkeys(method_words(run.results) for run in runs):
        members = [run for run in runs if method_words(run.results) == method]
        seeds = {run.results.seed for run in members}
        title = method if has_modes else members[0].results.strategy
        if len(members) >= MIN_SEEDS and len(seeds) == len(members):
            series.append(_of_seeds(members, title))
            continue
        for run in members:
            seed = run.results.seed
            is_only = [member.results.seed for member in members].count(seed) == 1
            note = f"seed {seed}" if is_only else f"seed {seed} · {run.name}"
            series.append(_of_run(run, title, note))
    return series


def _of_run(run: Run, title: str, note: str) -> Series:
    """Return the row of one run."""
    results = run.results
    matrix = results.matrix
    return Series(
        title,
        note,
        {name: (value, results.intervals.get(name)) for name, value in results.metrics.items()},
        [_cell(matrix, column) for column in range(matrix.num_tasks)],
        seen_values(results),
        matrix.success,
        matrix,
    )


def _cell(matrix: SuccessMatrix, column: int) -> Measured:
    """Return the success on a task after the last experience with Wilson's interval."""
    rate, count = float(matrix.success[-1, column]), float(matrix.episodes[-1, column])
    if math.isnan(rate):
        return None, None
    return rate, wilson_interval(round(rate * count), round(count))


def _of_seeds(runs: Sequence[Run], title: str) -> Series:
    """Return the row of all seeds of a strategy: hierarchical bootstrap, seeds then episodes."""
    runs = sorted(runs, key=lambda run: run.results.seed)
    tasks = runs[0].results.tasks
    num_tasks = len(tasks)
    finals: dict[str, Metric] = {
        f"final {column}": Metric(partial(_final, column)) for column in range(num_tasks)
    }
    seen = {f"seen {row}": metric for row, metric in seen_metrics(num_tasks).items()}
    matrices = [run.results.matrix for run in runs]
    measured = _over_seeds(matrices, {**MATRIX_METRICS, **finals, **seen}, tasks)
    perturbed = [run.results.perturbed.matrix for run in runs if run.results.perturbed]
    is_robust = len(perturbed) == len(runs)
    robust = _over_seeds(perturbed, ROBUST_METRICS, tasks) if is_robust else {}
    others = [name for name in runs[0].results.metrics if name not in MATRIX_METRICS]
    return Series(
        title,
        f"{len(runs)} seeds: {', '.join(str(run.results.seed) for run in runs)}",
        {
            **{name: measured[name] for name in MATRIX_METRICS},
            **{
                name: (_mean([run.results.metrics.get(name) for run in runs]), None)
                for name in others
            },
            **robust,
        },
        [_pooled_where_still(measured[f"final {i}"], matrices, i) for i in range(num_tasks)],
        {str(row): measured[f"seen {row}"] for row in range(1, num_tasks + 1)},
        np.mean([matrix.success for matrix in matrices], axis=0),
        None,
    )


def _over_seeds(
    matrices: Sequence[SuccessMatrix], metrics: Mapping[str, Metric], tasks: Sequence[str]
) -> dict[str, Measured]:
    """Return mean and interval of metrics over the matrices of the seeds."""
    aggregates = aggregate_over_seeds(matrices, metrics, samples=SAMPLES, tasks=tasks)
    return {
        name: (None, None) if item is None else (item.mean, item.interval)
        for name, item in aggregates.items()
    }


def _pooled_where_still(
    measured: Measured, matrices: Sequence[SuccessMatrix], column: int
) -> Measured:
    """Return Wilson's interval over all episodes where no run varies, as no bootstrap does."""
    rate, interval = measured
    if rate is None or interval is None or interval[0] < interval[1]:
        return measured
    count = round(sum(float(matrix.episodes[-1, column]) for matrix in matrices))
    return rate, wilson_interval(round(rate * count), count)


def _final(column: int, success: FloatArray) -> FloatArray:
    """Return the success on one task after the last experience."""
    return success[..., -1, column]


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None where one is missing."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None
