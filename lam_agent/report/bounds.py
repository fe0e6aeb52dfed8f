"""Bounds beside a run: each task learned alone, all learned jointly, and the naive strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lam_agent.errors import ResultsError
from lam_agent.report.heat import HeatCell, HeatTable, episode_cell, mean_cell
from lam_agent.report.words import NOT_MEASURED, column_labels, number_words
from lam_agent.results import Results


@dataclass(frozen=True)
class Bounds:
    """What can be reached and what must be beaten.

    Attributes:
        table: Success of each task: this run, alone, jointly, and their means.
        naive: Metrics of the naive strategy with those of this run: name, naive, this run.
        solved: Tasks that are solved from the start when they are learned alone, for which
            transfer by learning speed is undefined.
        is_measured: Whether there is any bound.
    """

    table: HeatTable
    naive: Sequence[tuple[str, str, str]]
    solved: Sequence[str]
    is_measured: bool


def bounds(results: Results) -> Bounds:
    """Return the bounds of a run.

    Raises:
        ResultsError: They are not as this project writes them.
    """
    matrix, count = results.matrix, len(results.tasks)
    single = bound_rates(results.references, "single_task", count)
    joint = bound_rates(results.references, "joint", count)
    own = (list(map(float, matrix.success[-1])), [float(value) for value in matrix.episodes[-1]])
    columns = {
        "this run, after the last experience": own,
        "learned jointly (upper bound)": joint,
        "learned alone": single,
    }
    rows = [
        (label, [_cell(column, place) for column in columns.values()])
        for place, label in enumerate(column_labels(results.tasks))
    ]
    rows.append(("mean", [_mean_cell(column) for column in columns.values()]))
    naive = results.references.get("naive")
    names = {"average_success": "average success", "forgetting": "forgetting"}
    return Bounds(
        HeatTable(list(columns), rows),
        [
            (title, number_words(_naive(naive, key)), number_words(results.metrics.get(key)))
            for key, title in names.items()
        ],
        _solved(results),
        is_measured=any(bound is not None for bound in (single, joint, naive)),
    )


_Column = tuple[Sequence[float], Sequence[float]] | None
"""Success rate (NaN where there is none) and episodes (NaN where not known) of each task."""


def bound_rates(references: Mapping[str, Any], name: str, num_tasks: int) -> _Column:
    """Return one bound: success and episodes of each task; None where it was not measured.

    Raises:
        ResultsError: It is not as this project writes it.
    """
    bound = references.get(name)
    if bound is None:
        return None
    rates, episodes = bound.get("success"), bound.get("episodes")
    is_list = isinstance(rates, list) and len(rates) == num_tasks
    if not is_list or not all(rate is None or _is_rate(rate) for rate in rates):
        raise ResultsError(
            f"references.{name}.success is {rates!r}; it must be a list of {num_tasks} rates in "
            "[0, 1] or nulls."
        )
    if episodes is not None and (
        isinstance(episodes, bool) or not isinstance(episodes, int) or episodes < 1
    ):
        raise ResultsError(
            f"references.{name}.episodes is {episodes!r}; it must be a whole number, at least 1."
        )
    values = [math.nan if rate is None else float(rate) for rate in rates]
    return values, [math.nan if episodes is None else float(episodes)] * num_tasks


def _solved(results: Results) -> list[str]:
    """Return the tasks whose learning curve alone has an area of 1.

    Raises:
        ResultsError: The areas are none.
    """
    single = results.references.get("single_task")
    areas = None if single is None else single.get("area")
    if areas is None:  # Results of earlier versions have none.
        return []
    is_list = isinstance(areas, list) and len(areas) == len(results.tasks)
    if not is_list or not all(area is None or _is_rate(area) for area in areas):
        raise ResultsError(
            f"references.single_task.area is {areas!r}; it must be a list of {len(results.tasks)} "
            "numbers in [0, 1] or nulls."
        )
    labels = column_labels(results.tasks)
    return [label for label, area in zip(labels, areas, strict=True) if area == 1]


def _naive(bound: Mapping[str, Any] | None, key: str) -> float | None:
    """Return a metric of the naive strategy."""
    value = None if bound is None else bound.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ResultsError(f"references.naive.{key} is {value!r}; it must be a number or null.")
    return value


def _is_rate(value: object) -> bool:
    """Tell whether a value is a success rate."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _cell(column: _Column, place: int) -> HeatCell:
    """Return the cell of one task."""
    if column is None:
        return HeatCell(NOT_MEASURED)
    rate, count = column[0][place], column[1][place]
    return mean_cell(rate) if math.isnan(count) else episode_cell(rate, count)


def _mean_cell(column: _Column) -> HeatCell:
    """Return the cell of the mean over tasks; a dash where one of them is missing."""
    if column is None:
        return HeatCell(NOT_MEASURED)
    return mean_cell(math.fsum(column[0]) / len(column[0]))
