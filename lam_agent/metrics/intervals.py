"""Intervals: how far a measured number can be trusted.

Wilson for one cell of the success matrix; parametric bootstrap over episodes for the metrics of one
run; from three seeds on, hierarchical bootstrap over seeds and episodes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from lam_agent.errors import ResultsError
from lam_agent.metrics.cells import FloatArray
from lam_agent.metrics.definitions import MATRIX_METRICS, Metric, compute_metrics
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix

Interval = tuple[float, float]
Counts = npt.NDArray[np.int64]

CONFIDENCE = 0.95
"""Coverage of every interval."""

_SEED = 0
"""Seed of every bootstrap: equal results have equal intervals."""

_SAMPLES = 2000

MIN_SEEDS = 3
"""Seeds from which an interval over seeds means anything."""


@lru_cache(maxsize=4096)
def wilson_interval(successes: int, episodes: int) -> Interval:
    """Return the Wilson score interval of a success rate (Wilson 1927).

    Args:
        successes: Successful episodes.
        episodes: Episodes that were run, at least 1.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ResultsError(
            f"there are {successes} successes in {episodes} episodes; there must be at least 1 "
            "episode and from 0 to all successes."
        )
    z = NormalDist().inv_cdf((1.0 + CONFIDENCE) / 2.0)
    centre = (successes + z**2 / 2) / (episodes + z**2)
    variance = successes * (episodes - successes) / episodes + z**2 / 4
    half = z * math.sqrt(variance) / (episodes + z**2)
    # At both ends the formula is exact; rounding must not push the bound past it.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == episodes else centre + half
    return low, high


def compute_intervals(
    matrix: SuccessMatrix, tasks: Sequence[str] | None = None
) -> dict[str, Interval | None]:
    """Return the interval of every metric of one run by name.

    The two that need learning curves have none, because episodes of the matrix do not vary them.

    Args:
        matrix: The success matrix.
        tasks: Names of the columns; visits of one task share their episodes.
    """
    intervals = bootstrap_intervals(matrix, MATRIX_METRICS, tasks=tasks)
    return {name: intervals.get(name) for name in compute_metrics(matrix)}


def bootstrap_intervals(
    matrix: SuccessMatrix,
    metrics: Mapping[str, Metric],
    samples: int = _SAMPLES,
    tasks: Sequence[str] | None = None,
) -> dict[str, Interval | None]:
    """Return percentile intervals by parametric bootstrap over episodes, binomial per cell.

    They tell how much the episodes of one run vary, not how much another seed would differ. Cells
    vary independently, though rows share their starts, which makes differences look more uncertain.
    A cell at 0 or 1 does not vary at all: its own Wilson interval says what it leaves open.

    Args:
        matrix: The success matrix of one run.
        metrics: Functions by name. One that is None for the matrix has no interval.
        samples: Matrices that are drawn.
        tasks: Names of the columns; visits of one task share their episodes.
    """
    measured = {name: metric for name, metric in metrics.items() if metric(matrix) is not None}
    shared = _shared(matrix, tasks)
    if not measured:
        return dict.fromkeys(metrics)
    successes = _draw(matrix, np.random.default_rng(_SEED), samples)
    values = _values(matrix, measured, successes, *shared)
    return {
        name: _percentiles(values[name], measured[name](matrix)) if name in values else None
        for name in metrics
    }


def pretraining_intervals(measured: PretrainingSuccess) -> dict[str, Interval | None]:
    """Return percentile intervals of what became of pretraining, by the same bootstrap.

    Args:
        measured: Success on tasks that the initial weights learned.
    """
    values = measured.metrics()
    if not values:
        return {}
    episodes = np.nan_to_num(measured.episodes).astype(np.int64)
    rate = np.nan_to_num(measured.success)
    counts = np.random.default_rng(_SEED).binomial(episodes, rate, size=(_SAMPLES, *rate.shape))
    before, after = (counts / np.maximum(episodes, 1)).mean(axis=2).T  # (samples,) each
    drawn = (before, after, before - after)
    return {
        name: None if value is None else _percentiles(found, value)
        for (name, value), found in zip(values.items(), drawn, strict=True)
    }


@dataclass(frozen=True)
class Aggregate:
    """A metric over several seeds of one strategy."""

    mean: float
    interval: Interval | None
    num_seeds: int


def aggregate_over_seeds(
    matrices: Sequence[SuccessMatrix],
    metrics: Mapping[str, Metric] = MATRIX_METRICS,
    samples: int = _SAMPLES,
    tasks: Sequence[str] | None = None,
) -> dict[str, Aggregate | None]:
    """Return mean and interval of every metric by hierarchical bootstrap: seeds, then episodes.

    Args:
        matrices: Success matrices of runs that differ in their seed alone, at least 3.
        metrics: Functions by name. One that is None for any run is None.
        samples: Sets of runs that are drawn.
        tasks: Names of the columns; visits of one task share their episodes.
    """
    num_seeds = len(matrices)
    if num_seeds < MIN_SEEDS:
        raise ResultsError(
            f"there are {num_seeds} seeds; an interval over seeds needs at least {MIN_SEEDS}."
        )
    points = {name: [metric(matrix) for matrix in matrices] for name, metric in metrics.items()}
    measured = {name: metrics[name] for name in metrics if None not in points[name]}
    random = np.random.default_rng(_SEED)
    choices = random.integers(num_seeds, size=(samples, num_seeds))
    drawn = {name: np.empty(choices.shape) for name in measured}
    for index, matrix in enumerate(matrices):
        chosen = choices == index
        successes = _draw(matrix, random, int(chosen.sum()))
        values = _values(matrix, measured, successes, *_shared(matrix, tasks))
        _draw_at_end(matrix, random, successes)
        for name in measured:
            drawn[name][chosen] = values[name]
    aggregates: dict[str, Aggregate | None] = dict.fromkeys(metrics)
    for name in measured:
        mean = float(np.mean(np.array(points[name], dtype=np.float64)))
        interval = _percentiles(drawn[name].mean(axis=1), mean)
        aggregates[name] = Aggregate(mean, interval, num_seeds)
    return aggregates


def _draw(matrix: SuccessMatrix, random: np.random.Generator, samples: int) -> Counts:
    """Return successes of resampled matrices, shape (samples, T+1, T)."""
    episodes = np.nan_to_num(matrix.episodes).astype(np.int64)
    rate = np.nan_to_num(matrix.success)
    return random.binomial(episodes, rate, size=(samples, *rate.shape))


def _draw_at_end(matrix: SuccessMatrix, random: np.random.Generator, successes: Counts) -> None:
    """Draw the successes at the last step out of the others.

    No metric needs them, but what the next matrix draws, and so the intervals of published
    comparisons, would change without.
    """
    rate = np.nan_to_num(matrix.success)
    share = np.divide(
        np.nan_to_num(matrix.success_at_end), rate, out=np.zeros_like(rate), where=rate > 0
    )
    random.binomial(successes, np.minimum(share, 1.0))


def _shared(
    matrix: SuccessMatrix, tasks: Sequence[str] | None
) -> tuple[list[int], npt.NDArray[np.bool_]]:
    """Return the first visit of each column's task, and which cells are evaluated with it."""
    names = [str(column) for column in range(matrix.num_tasks)] if tasks is None else list(tasks)
    if len(names) != matrix.num_tasks:
        raise ResultsError(f"there are {len(names)} task names; {matrix.num_tasks} are needed.")
    first_visit = [names.index(name) for name in names]
    is_shared = matrix.success[:, first_visit] == matrix.success
    is_shared &= matrix.episodes[:, first_visit] == matrix.episodes
    return first_visit, is_shared


def _values(
    matrix: SuccessMatrix,
    metrics: Mapping[str, Metric],
    successes: Counts,
    first_visit: list[int],
    is_shared: npt.NDArray[np.bool_],
) -> dict[str, FloatArray]:
    """Return each metric of resampled matrices, shape (samples,), NaN where it is undefined."""
    # Visits of one task are one evaluation, so they vary together.
    together = np.where(is_shared, successes[:, :, first_visit], successes)
    rates = together / matrix.episodes
    return {name: metric.formula(rates) for name, metric in metrics.items()}


def _percentiles(values: FloatArray, measured: float | None) -> Interval | None:
    """Return the percentile interval of the samples in which the metric is defined.

    It reaches to what was measured: retention is at most 1 in each task, so that episodes that vary
    by chance lower it, and the samples of a run that has lost nothing would all lie below it.
    """
    defined = values[~np.isnan(values)]
    if defined.size == 0 or measured is None:
        return None
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(defined, (tail, 1.0 - tail))
    return min(float(low), measured), max(float(high), measured)
