"""Bounds beside several runs: each task learned alone and all jointly, as means over the seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lam_agent.report.bounds import bound_rates
from lam_agent.report.comparison import Run
from lam_agent.report.words import adaptation_mode

_TITLES = {"single_task": "each task alone", "joint": "all jointly"}


@dataclass(frozen=True)
class ReferenceRow:
    """One bound, which all strategies of a protocol share.

    Attributes:
        title: Its name, and the adaptation mode where the runs have several.
        note: Its seeds.
        success: Success on each task, the mean over the seeds; NaN where it was not measured.
    """

    title: str
    note: str
    success: Sequence[float]

    @property
    def average_success(self) -> float | None:
        """Return the mean over the tasks; None where one was not measured."""
        mean = math.fsum(self.success) / len(self.success)
        return None if math.isnan(mean) else mean


def reference_rows(runs: Sequence[Run]) -> list[ReferenceRow]:
    """Return the bounds that the runs have found or made.

    Raises:
        ResultsError: They are not as this project writes them.
    """
    modes = dict.fromkeys(adaptation_mode(run.results) for run in runs)
    rows = []
    for name, title in _TITLES.items():
        for mode in modes:
            found: dict[int, Sequence[float]] = {}
            for run in runs:
                results = run.results
                bound = bound_rates(results.references, name, len(results.tasks))
                if bound is not None and adaptation_mode(results) == mode:
                    found.setdefault(results.seed, bound[0])
            if found:
                seeds = sorted(found)
                columns = zip(*(found[seed] for seed in seeds), strict=True)
                rows.append(
                    ReferenceRow(
                        title if len(modes) == 1 else f"{title}, {mode}",
                        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}",
                        [math.fsum(column) / len(seeds) for column in columns],
                    )
                )
    return rows
