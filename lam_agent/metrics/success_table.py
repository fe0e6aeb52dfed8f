"""Test success in some rows, with a column for each task: checks that all such tables share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.metrics.cells import RATES, FloatArray, check_cells


@dataclass(frozen=True, eq=False, kw_only=True)
class SuccessTable:
    """Test success on K tasks in R rows; NaN where not measured.

    Attributes:
        tasks: Names of the columns.
        success: Share of the episodes in which the task's predicate held at any step, shape (R, K).
        success_at_end: Share of the episodes in which it held at the last step, same shape.
        episodes: Number of test episodes, same shape.
    """

    name: ClassVar[str] = "table"
    """Where it stands in `results.json`."""

    rows_in_words: ClassVar[str] = "rows"
    """What the rows are."""

    tasks: tuple[str, ...]
    success: FloatArray
    success_at_end: FloatArray
    episodes: FloatArray

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        shape = (len(self.rows), len(self.tasks))
        for name in RATES:
            array = getattr(self, name)
            if array.shape != shape:
                raise ResultsError(
                    f"{self.name}.{name} has shape {array.shape}; it must be {shape}: "
                    f"{self.rows_in_words}, with a column for each task."
                )
        check_cells({name: getattr(self, name) for name in RATES}, f"{self.name}.")

    def __eq__(self, other: object) -> bool:
        """Compare all cells; cells that neither measured are equal."""
        return (
            type(self) is type(other)
            and isinstance(other, SuccessTable)
            and (self.tasks, self.rows) == (other.tasks, other.rows)
            and all(
                np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
                for name in RATES
            )
        )

    def _copies(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in RATES}

    def with_task(
        self, row: int, task: str, *, successes: int, successes_at_end: int, episodes: int
    ) -> Self:
        """Return a copy with a task that is measured.

        Args:
            row: Its row.
            task: Name of the task.
            successes: Episodes that were a success at any step.
            successes_at_end: Episodes whose last step was a success.
            episodes: Episodes that were run, at least 1.
        """
        place = row, self.tasks.index(task)
        arrays = self._copies()
        values = successes / episodes, successes_at_end / episodes, float(episodes)
        for array, value in zip(arrays.values(), values, strict=True):
            array[place] = value
        return replace(self, **arrays)

    def without(self, rows: Sequence[int]) -> Self:
        """Return a copy in which some rows are to be measured anew."""
        arrays = self._copies()
        for array in arrays.values():
            array[list(rows)] = np.nan
        return replace(self, **arrays)


def nothing_measured(num_rows: int, num_tasks: int) -> dict[str, FloatArray]:
    """Return the arrays of a table of which nothing was measured yet."""
    return {name: np.full((num_rows, num_tasks), np.nan) for name in RATES}
