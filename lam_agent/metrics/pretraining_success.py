"""What a run does to what its initial weights could do: success on their tasks, before and after.

The success matrix holds the tasks of the stream alone. A policy that keeps all of these may have
lost what it was pretrained on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from lam_agent.metrics.success_table import SuccessTable, nothing_measured

BEFORE, AFTER = 0, 1
"""Rows: before the stream, and after its last experience."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PretrainingSuccess(SuccessTable):
    """Test success on K tasks that the initial weights learned, in two rows: before and after."""

    name: ClassVar[str] = "pretraining"
    rows_in_words: ClassVar[str] = "before and after the stream"

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return ("before", "after")

    @classmethod
    def empty(cls, tasks: Iterable[str]) -> PretrainingSuccess:
        """Return the success on tasks of which none was measured yet."""
        names = tuple(tasks)
        return cls(tasks=names, **nothing_measured(2, len(names)))

    def missing(self, row: int) -> list[str]:
        """Return the tasks that are not measured yet before or after the stream."""
        pairs = zip(self.tasks, self.success[row], strict=True)
        return [task for task, rate in pairs if math.isnan(rate)]

    def without_after(self) -> PretrainingSuccess:
        """Return a copy whose row after the stream is to be measured anew, as the stream grows."""
        return self.without([AFTER])

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
