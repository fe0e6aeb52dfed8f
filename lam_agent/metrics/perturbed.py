"""What a stream leaves under perturbations: success in randomised scenes, when learned and at last.

A policy may keep its tasks where everything looks as in its demonstrations, and have lost what made
them robust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from lam_agent.metrics.definitions import Metric, average_success, retention
from lam_agent.metrics.intervals import Interval, bootstrap_intervals
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.metrics.success_table import SuccessTable, nothing_measured

ROBUST_METRICS: Mapping[str, Metric] = {
    "robust_average_success": average_success,
    "robust_retention": retention,
}
"""Metrics of the matrix under perturbations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorSuccess(SuccessTable):
    """Test success after the last experience where one factor varies alone, a row for each factor.

    Attributes:
        factors: Name of the setting of each row.
    """

    name: ClassVar[str] = "perturbed.by_factor"
    rows_in_words: ClassVar[str] = "a row for each factor"

    factors: tuple[str, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return self.factors

    @classmethod
    def empty(cls, factors: Iterable[str], tasks: Iterable[str]) -> FactorSuccess:
        """Return the success of which none was measured yet; tasks that come again stand once."""
        rows, columns = tuple(factors), tuple(dict.fromkeys(tasks))
        return cls(factors=rows, tasks=columns, **nothing_measured(len(rows), len(columns)))


@dataclass(frozen=True)
class Perturbed:
    """Success of a run's tasks in randomised scenes.

    Attributes:
        randomisation: How far looks, cameras and physics differ between episodes, by setting.
        matrix: Success matrix, of which the diagonal (each task when it was learned) and the last
            row are measured.
        by_factor: Success where one of them varies alone; None where not measured.
        unstable_episodes: Episodes of all cells whose physics broke, which count as failed.
    """

    randomisation: Mapping[str, float]
    matrix: SuccessMatrix
    by_factor: FactorSuccess | None = None
    unstable_episodes: int = 0

    def metrics(self) -> dict[str, float | None]:
        """Return the metrics by name; None where not measured."""
        return {name: metric(self.matrix) for name, metric in ROBUST_METRICS.items()}

    def intervals(self, tasks: Sequence[str]) -> dict[str, Interval | None]:
        """Return their intervals by parametric bootstrap over episodes.

        Args:
            tasks: Names of the columns; visits of one task share their episodes.
        """
        return bootstrap_intervals(self.matrix, ROBUST_METRICS, tasks=tasks)
