"""What a stream leaves under perturbations: success in randomised scenes, when learned and at last.

A policy may keep its tasks where everything looks as in its demonstrations, and have lost what made
them robust.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lam_agent.metrics.definitions import Metric, average_success, retention
from lam_agent.metrics.intervals import Interval, bootstrap_intervals
from lam_agent.metrics.success_matrix import SuccessMatrix

ROBUST_METRICS: Mapping[str, Metric] = {
    "robust_average_success": average_success,
    "robust_retention": retention,
}
"""Metrics of the matrix under perturbations."""


@dataclass(frozen=True)
class Perturbed:
    """Success of a run's tasks in randomised scenes.

    Attributes:
        randomisation: How far looks, cameras and physics differ between episodes, by setting.
        matrix: Success matrix, of which the diagonal (each task when it was learned) and the last
            row are measured.
    """

    randomisation: Mapping[str, float]
    matrix: SuccessMatrix

    def metrics(self) -> dict[str, float | None]:
        """Return the metrics by name; None where not measured."""
        return {name: metric(self.matrix) for name, metric in ROBUST_METRICS.items()}

    def intervals(self, tasks: Sequence[str], seed: int = 0) -> dict[str, Interval | None]:
        """Return their intervals by parametric bootstrap over episodes.

        Args:
            tasks: Names of the columns; visits of one task share their episodes.
            seed: Seed of the bootstrap.
        """
        return bootstrap_intervals(self.matrix, ROBUST_METRICS, seed, tasks=tasks)
