"""The success matrix: the success rate of every task, before and along the task stream."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from lam_agent.errors import ResultsError
from lam_agent.metrics.cells import RATES, FloatArray, check_cells


@dataclass(frozen=True, eq=False)
class SuccessMatrix:
    """Success along a stream of T tasks: row = after experience i, column = task j.

    Row 0 is the policy before the stream. A repeated task has one column for each visit. A cell
    that was not evaluated is NaN in all three arrays. The arrays are read-only copies.

    Attributes:
        success: Share of the episodes in which the task's predicate held at any step,
            shape (T+1, T), in [0, 1].
        success_at_end: Share of the episodes in which it held at the last step, same shape.
        episodes: Number of test episodes, same shape.
    """

    success: FloatArray
    success_at_end: FloatArray
    episodes: FloatArray

    def __post_init__(self) -> None:
        for item in fields(self):
            array = _as_matrix(getattr(self, item.name), item.name)
            array.setflags(write=False)
            object.__setattr__(self, item.name, array)
            _check_shape(array, item.name, self.success.shape)
        check_cells({name: getattr(self, name) for name in RATES})

    def __eq__(self, other: object) -> bool:
        """Compare all cells; cells that neither matrix evaluated are equal."""
        return isinstance(other, SuccessMatrix) and all(
            np.array_equal(getattr(self, item.name), getattr(other, item.name), equal_nan=True)
            for item in fields(self)
        )

    @property
    def num_tasks(self) -> int:
        """Return T, the number of columns."""
        return int(self.success.shape[1])

    @property
    def evaluated(self) -> npt.NDArray[np.bool_]:
        """Return which cells were evaluated, shape (T+1, T)."""
        return ~np.isnan(self.success)

    @property
    def num_successes(self) -> FloatArray:
        """Return the successful episodes of each cell, shape (T+1, T), NaN where not evaluated."""
        return np.rint(self.success * self.episodes)

    @property
    def num_successes_at_end(self) -> FloatArray:
        """Return the episodes that ended in success, shape (T+1, T), NaN where not evaluated."""
        return np.rint(self.success_at_end * self.episodes)

    @classmethod
    def empty(cls, num_tasks: int) -> SuccessMatrix:
        """Return the matrix of a stream of which nothing was evaluated yet."""
        nothing = np.full((num_tasks + 1, num_tasks), np.nan)
        return cls(nothing, nothing, nothing)

    def grown(self, num_tasks: int) -> SuccessMatrix:
        """Return the matrix of a longer stream that begins with this one."""
        if num_tasks < self.num_tasks:
            raise ResultsError(
                f"the stream has {num_tasks} tasks; it must have at least the {self.num_tasks} "
                "that were measured."
            )
        more = num_tasks - self.num_tasks
        padded = [
            np.pad(getattr(self, item.name), ((0, more), (0, more)), constant_values=np.nan)
            for item in fields(self)
        ]
        return SuccessMatrix(*padded)

    def with_cell(
        self, row: int, column: int, *, successes: int, successes_at_end: int, episodes: int
    ) -> SuccessMatrix:
        """Return a copy with one evaluated cell.

        Args:
            row: Experience after which it was measured; 0 is before the stream.
            column: Position of the task in the stream, from 0.
            successes: Episodes that were a success at any step.
            successes_at_end: Episodes whose last step was a success.
            episodes: Episodes that were run, at least 1.
        """
        if not (0 <= row <= self.num_tasks and 0 <= column < self.num_tasks):
            raise ResultsError(
                f"there is no cell ({row}, {column}); a stream of {self.num_tasks} has rows "
                f"0 to {self.num_tasks} and columns 0 to {self.num_tasks - 1}."
            )
        if episodes < 1:
            raise ResultsError(f"episodes is {episodes}; a cell needs at least 1.")
        cell = (successes / episodes, successes_at_end / episodes, float(episodes))
        arrays = [getattr(self, item.name).copy() for item in fields(self)]
        for array, value in zip(arrays, cell, strict=True):
            array[row, column] = value
        return SuccessMatrix(*arrays)


def _as_matrix(values: npt.ArrayLike, name: str) -> FloatArray:
    """Copy values into an array of float64."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ResultsError(
            f"{name} is no table of numbers; it must be T+1 rows of T numbers or nulls."
        ) from None


def _check_shape(array: FloatArray, name: str, expected: tuple[int, ...]) -> None:
    """Refuse any shape but (T+1, T), the same for all matrices."""
    if array.ndim != 2 or array.shape[1] < 1 or array.shape[0] != array.shape[1] + 1:
        raise ResultsError(
            f"{name} has shape {array.shape}; it must be (T+1, T): row 0 before the stream, then "
            "one row after each of T tasks."
        )
    if array.shape != expected:
        raise ResultsError(
            f"{name} has shape {array.shape}; it must be that of success, {expected}."
        )
