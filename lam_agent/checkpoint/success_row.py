"""SuccessRow: one row of the success matrix as it travels with a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from lam_agent.errors import CheckpointError


@dataclass(frozen=True)
class SuccessRow:
    """Success rates that were measured when the checkpoint was saved, one for each column.

    Attributes:
        task: Tasks of the columns.
        success: Share of the episodes that were a success at any step; None if not evaluated.
        success_at_end: Share of the episodes that ended in success; None if not evaluated.
        episodes: Number of test episodes; None if not evaluated.
    """

    task: tuple[str, ...]
    success: tuple[float | None, ...]
    success_at_end: tuple[float | None, ...]
    episodes: tuple[int | None, ...]

    @property
    def rates(self) -> dict[str, float]:
        """Task -> success rate, of those that were evaluated, at whichever visit."""
        pairs = zip(self.task, self.success, strict=True)
        return {task: rate for task, rate in pairs if rate is not None}

    def __post_init__(self) -> None:
        lengths = [len(getattr(self, item.name)) for item in fields(self)]
        if len(set(lengths)) > 1:
            raise CheckpointError(
                f"the columns of the success_row have {lengths} entries; give each as many."
            )
        for rate, at_end, count in zip(
            self.success, self.success_at_end, self.episodes, strict=True
        ):
            if (rate is None) != (at_end is None) or (rate is None) != (count is None):
                raise CheckpointError(
                    f"the success_row holds ({rate}, {at_end}, {count}); give success, "
                    "success_at_end and episodes of a column, or none of them."
                )
            if rate is not None and not (0 <= rate <= 1 and 0 <= (at_end or 0) <= 1):
                raise CheckpointError(
                    f"the success_row holds the rates {rate} and {at_end}; both must lie in [0, 1]."
                )
            if count is not None and count < 1:
                raise CheckpointError(
                    f"the success_row holds {count} episodes; a measured column has at least 1."
                )

    @classmethod
    def from_mapping(cls, row: Mapping[str, object]) -> SuccessRow:
        """Make a row of lists or arrays by name; None or NaN stands where nothing was evaluated.

        Raises:
            CheckpointError: A column is missing, unknown, not of numbers, or does not fit.
        """
        names = [item.name for item in fields(cls)]
        tasks = row.get("task")
        if set(row) != set(names) or not isinstance(tasks, list | tuple):
            raise CheckpointError(
                f"the success_row holds {', '.join(row)}; it must hold the lists "
                f"{', '.join(names)}."
            )
        success, success_at_end, episodes = (_numbers(row, name) for name in names[1:])
        return cls(
            task=tuple(map(str, tasks)),
            success=success,
            success_at_end=success_at_end,
            episodes=tuple(None if count is None else int(count) for count in episodes),
        )


def _numbers(row: Mapping[str, object], name: str) -> tuple[float | None, ...]:
    """Return a column of numbers with None for NaN."""
    try:
        column = np.array(row[name], dtype=np.float64)
    except (TypeError, ValueError):
        column = np.empty((0, 0))
    if column.ndim != 1 or np.isinf(column).any():
        raise CheckpointError(
            f"success_row.{name} is {row[name]!r}; it must be a list of numbers, None where not "
            "evaluated."
        )
    return tuple(None if math.isnan(value) else value for value in column.tolist())
