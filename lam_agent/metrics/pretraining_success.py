"""What a run does to what its initial weights could do: success on their tasks, before and after.

The success matrix holds the tasks of the stream alone. A policy that keeps all of these may have
lost what it was pretrained on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.metrics.success_matrix import FloatArray

BEFORE, AFTER = 0, 1
"""Rows: before the stream, and after its last experience."""


@dataclass(frozen=True, eq=False)
class PretrainingSuccess:
    """Test success on K tasks that the initial weights learned; NaN where not measured.

    Attributes:
        tasks: Their names.
        success: Share of the episodes in which the task's predicate held at any step, shape (2, K).
        success_at_end: Share of the episodes in which it held at the last step, same shape.
        episodes: Number of test episodes, same shape.
    """

    tasks: tuple[str, ...]
    success: FloatArray
    success_at_end: FloatArray
    episodes: FloatArray

    def __post_init__(self) -> None:
        shape = (2, len(self.tasks))
        for name in ("success", "success_at_end", "episodes"):
            array = getattr(self, name)
            if array.shape != shape:
                raise ResultsError(
                    f"pretraining.{name} has shape {array.shape}; it must be {shape}: before and "
                    "after the stream, with a column for each task."
                )
            if not np.array_equal(np.isnan(array), np.isnan(self.success)):
                raise ResultsError(
                    f"pretraining.{name} and pretraining.success are not measured in the same "
                    "cells; fill a cell of all or of none."
                )
        measured = ~np.isnan(self.success)
        rates, at_end = self.success[measured], self.success_at_end[measured]
        is_rate = (rates >= 0) & (rates <= 1) & (at_end >= 0) & (at_end <= rates)
        if not is_rate.all():
            raise ResultsError(
                "pretraining.success and pretraining.success_at_end must lie in [0, 1], the latter "
                "at most the former."
            )
        count = self.episodes[measured]
        if not ((count >= 1) & (count == np.rint(count)) & np.isfinite(count)).all():
            raise ResultsError("pretraining.episodes must hold whole numbers, at least 1.")

    def __eq__(self, other: object) -> bool:
        """Compare all cells; cells that neither measured are equal."""
        return (
            isinstance(other, PretrainingSuccess)
            and self.tasks == other.tasks
            and all(
                np.array_equal(ours, theirs, equal_nan=True)
                for ours, theirs in zip(self._copies(), other._copies(), strict=True)
            )
        )

    @classmethod
    def empty(cls, tasks: Iterable[str]) -> PretrainingSuccess:
        """Return the success on tasks of which none was measured yet."""
        names = tuple(tasks)
        nothing = np.full((2, len(names)), np.nan)
        return cls(names, nothing, nothing, nothing)

    def missing(self, row: int) -> list[str]:
        """Return the tasks that are not measured yet before or after the stream."""
        pairs = zip(self.tasks, self.success[row], strict=True)
        return [task for task, rate in pairs if math.isnan(rate)]

    def with_task(
        self, row: int, task: str, *, successes: int, successes_at_end: int, episodes: int
    ) -> PretrainingSuccess:
        """Return a copy with a task that is measured.

        Args:
            row: `BEFORE` or `AFTER`.
            task: Name of the task.
            successes: Episodes that were a success at any step.
            successes_at_end: Episodes whose last step was a success.
            episodes: Episodes that were run, at least 1.
        """
        place = row, self.tasks.index(task)
        arrays = self._copies()
        values = successes / episodes, successes_at_end / episodes, float(episodes)
        for array, value in zip(arrays, values, strict=True):
            array[place] = value
        return PretrainingSuccess(self.tasks, *arrays)

    def without_after(self) -> PretrainingSuccess:
        """Return a copy whose row after the stream is to be measured anew, as the stream grows."""
        arrays = self._copies()
        for array in arrays:
            array[AFTER] = np.nan
        return PretrainingSuccess(self.tasks, *arrays)

    def _copies(self) -> list[FloatArray]:
        return [array.copy() for array in (self.success, self.success_at_end, self.episodes)]

    def metrics(self) -> dict[str, float | None]:
        """Return the mean success before and after the stream, and the former minus the latter.

        This project. None where a task was not measured; no entries without tasks.
        """
        if not self.tasks:
            return {}
        before, after = (float(rates.mean()) for rates in self.success)
        values = {
            "pretraining_before": before,
            "pretraining_after": after,
            "pretraining_forgetting": before - after,
        }
        return {name: None if math.isnan(value) else value for name, value in values.items()}
