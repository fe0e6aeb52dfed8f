"""Success matrices as tables with coloured cells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lam_agent.metrics.cells import FloatArray
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.report.colours import heat_style
from lam_agent.report.words import (
    NOT_EVALUATED,
    cell_words,
    column_labels,
    factor_words,
    row_labels,
)
from lam_agent.results import Results


@dataclass(frozen=True)
class HeatCell:
    """One cell of a table of success rates.

    Attributes:
        rate: The percentage, or a dash where it was not evaluated.
        interval: Its interval.
        counts: Successes of episodes.
        style: Colours as CSS variables; empty where it was not evaluated.
        is_learned: Whether the row is that right after the task was learned.
    """

    rate: str
    interval: str = ""
    counts: str = ""
    style: str = ""
    is_learned: bool = False


@dataclass(frozen=True)
class HeatTable:
    """A table of success rates.

    Attributes:
        columns: Label of each column.
        rows: Label and cells of each row.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[HeatCell]]]

    @property
    def is_wide(self) -> bool:
        """Say whether it needs small type."""
        return len(self.columns) > 6


def learned_row(rates: FloatArray, column: int) -> int:
    """Return the row after the experience in which a task was learned, of rates (T+1, T).

    It is the last one where all tasks are learned at once, and those before it are not evaluated.
    """
    own = column + 1
    is_at_once = math.isnan(rates[own, column]) and not math.isnan(rates[-1, column])
    return len(rates) - 1 if is_at_once else own


def matrix_table(results: Results, rates: FloatArray) -> HeatTable:
    """Return one matrix of a run, shape (T+1, T), as a table."""
    rows = []
    for row, label in enumerate(row_labels(results.tasks)):
        cells = [
            episode_cell(float(rate), float(count), is_learned=row == learned_row(rates, column))
            for column, (rate, count) in enumerate(
                zip(rates[row], results.matrix.episodes[row], strict=True)
            )
        ]
        rows.append((label, cells))
    return HeatTable(column_labels(results.tasks), rows)


def pretraining_table(pretraining: PretrainingSuccess) -> HeatTable:
    """Return the success on tasks that the initial weights learned, a row for each task."""
    rows = []
    for place, task in enumerate(pretraining.tasks):
        pairs = zip(pretraining.success[:, place], pretraining.episodes[:, place], strict=True)
        rows.append((task, [episode_cell(float(rate), float(count)) for rate, count in pairs]))
    means = [mean_cell(float(rates.mean())) for rates in pretraining.success]
    return HeatTable(["before the stream", "after it"], [*rows, ("mean", means)])


def perturbed_table(results: Results, perturbed: Perturbed) -> HeatTable:
    """Return the success in randomised scenes, a row for each task."""
    matrix, rows = perturbed.matrix, []
    for column, label in enumerate(column_labels(results.tasks)):
        places = ((column + 1, column), (-1, column))
        cells = [
            episode_cell(float(matrix.success[place]), float(matrix.episodes[place]))
            for place in places
        ]
        rows.append((label, cells))
    learned, last = matrix.success[1:].diagonal(), matrix.success[-1]
    means = [mean_cell(float(rates.mean())) for rates in (learned, last)]
    return HeatTable(["when learned", "after the last"], [*rows, ("mean", means)])


def factor_table(results: Results) -> HeatTable | None:
    """Return the success after the last experience by what varies, a column for each task.

    None where it is not measured.
    """
    perturbed = results.perturbed
    if perturbed is None or perturbed.by_factor is None:
        return None
    alone = perturbed.by_factor
    columns = [results.tasks.index(task) for task in alone.tasks]

    def last_row(matrix: SuccessMatrix) -> tuple[FloatArray, FloatArray]:
        return matrix.success[-1, columns], matrix.episodes[-1, columns]

    named = [("nothing", last_row(results.matrix))]
    for row, factor in enumerate(alone.factors):
        value = float(perturbed.randomisation.get(factor, 0.0))
        named.append((factor_words(factor, value), (alone.success[row], alone.episodes[row])))
    named.append(("all of these", last_row(perturbed.matrix)))
    rows = []
    for label, (rates, episodes) in named:
        pairs = zip(rates, episodes, strict=True)
        cells = [episode_cell(float(rate), float(count)) for rate, count in pairs]
        rows.append((label, [*cells, mean_cell(float(rates.mean()))]))
    return HeatTable([*alone.tasks, "mean"], rows)


def mean_table(tasks: Sequence[str], rates: FloatArray) -> HeatTable:
    """Return a mean matrix over seeds, shape (T+1, T), as a table without intervals."""
    rows = [
        (
            label,
            [
                mean_cell(float(rate), row == learned_row(rates, column))
                for column, rate in enumerate(rates[row])
            ],
        )
        for row, label in enumerate(row_labels(tasks))
    ]
    return HeatTable(column_labels(tasks), rows)


def episode_cell(rate: float, count: float, *, is_learned: bool = False) -> HeatCell:
    """Return the cell of a success rate over episodes, with Wilson's interval."""
    if math.isnan(rate):
        return HeatCell(NOT_EVALUATED, is_learned=is_learned)
    percent, counts, interval = cell_words(rate, count)
    return HeatCell(percent, interval, counts, heat_style(rate), is_learned)


def mean_cell(rate: float, is_learned: bool = False, interval: str = "") -> HeatCell:
    """Return the cell of a mean success rate."""
    if math.isnan(rate):
        return HeatCell(NOT_EVALUATED, is_learned=is_learned)
    return HeatCell(f"{100 * rate:.1f} %", interval, "", heat_style(rate), is_learned)


def legend() -> Iterator[tuple[str, str]]:
    """Return label and colours of the steps of the scale."""
    for percent in range(0, 101, 20):
        yield f"{percent}", heat_style(percent / 100)
