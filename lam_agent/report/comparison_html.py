"""`comparison.html`: several runs of the same tasks and protocol on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lam_agent.files import write_text_atomically
from lam_agent.report.comparison import (
    Run,
    Series,
    load_runs,
    make_series,
    method_words,
    perturbations,
)
from lam_agent.report.curves import seen_line, seen_plot
from lam_agent.report.heat import HeatTable, matrix_table, mean_cell, mean_table
from lam_agent.report.page import render_page
from lam_agent.report.plot import MARKERS
from lam_agent.report.reference_rows import ReferenceRow, reference_rows
from lam_agent.report.words import (
    METRIC_WORDS,
    NOT_EVALUATED,
    column_labels,
    interval_words,
    metric_words,
    number_words,
    protocol_words,
    value_words,
)
from lam_agent.results import Cost

_COLOURS = 7
"""Colours of lines that the style sheet has."""


def write_comparison(paths: Sequence[Path], output: Path) -> None:
    """Draw the page that compares runs.

    Args:
        paths: Results of the runs, at least 2.
        output: The page.

    Raises:
        ResultsError: Runs that cannot be read or compared.
    """
    runs = load_runs(paths)
    write_text_atomically(output, render_comparison(runs, make_series(runs), reference_rows(runs)))


def render_comparison(
    runs: Sequence[Run], series: Sequence[Series], references: Sequence[ReferenceRow]
) -> str:
    """Return the page that compares runs.

    Args:
        runs: The runs.
        series: What `make_series` makes of them.
        references: Their bounds, which `reference_rows` finds.
    """
    results = runs[0].results
    tasks = results.tasks
    labels = column_labels(tasks)
    return render_page(
        "comparison.html.j2",
        labels=labels,
        strategies=list(dict.fromkeys(item.title for item in series)),
        series=[(item.title, item.note, _style(index), index) for index, item in enumerate(series)],
        has_seeds=any(item.matrix is None for item in series),
        metrics=_metrics(series),
        metric_words=[
            (words.title, words.formula, words.source)
            for words in map(metric_words, _metric_names(series))
        ],
        finals=_finals(series, references, labels),
        references=references,
        seen=seen_plot(
            [
                seen_line(
                    item.seen,
                    _style(index),
                    index % MARKERS,
                    _shift(index, len(series)),
                    item.title,
                )
                for index, item in enumerate(series)
            ],
            len(tasks),
        ),
        matrices=[(item.title, item.note, mean_table(tasks, item.rates)) for item in series],
        each_run=[(run, matrix_table(run.results, run.results.matrix.success)) for run in runs],
        runs=_runs(runs),
        protocol_words=protocol_words(results, has_last_step=False) + perturbations(runs),
        protocol=_protocol(runs),
    )


def _style(index: int) -> str:
    """Return the CSS classes of a line: colours first, then colours with dashes."""
    dashes = " dashed" if index >= _COLOURS else ""
    return f"series-{index % _COLOURS}{dashes}"


def _shift(index: int, count: int) -> float:
    """Return by how many experiences a line is moved, so that intervals stand apart."""
    return 0.3 * ((index + 0.5) / count - 0.5) if count > 1 else 0.0


def _metric_names(series: Sequence[Series]) -> list[str]:
    """Return every metric that a run has, in the order of the reports."""
    names = dict.fromkeys(name for item in series for name in item.metrics)
    return [name for name in METRIC_WORDS if name in names] + [
        name for name in names if name not in METRIC_WORDS
    ]


def _metrics(series: Sequence[Series]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return title, note, and value and interval of each metric of each series."""
    rows = []
    for item in series:
        cells = []
        for name in _metric_names(series):
            value, interval = item.metrics.get(name, (None, None))
            cells.append((number_words(value), interval_words(interval) if interval else ""))
        rows.append((item.title, item.note, cells))
    return rows


def _finals(
    series: Sequence[Series], references: Sequence[ReferenceRow], labels: Sequence[str]
) -> HeatTable:
    """Return the success on each task after the last experience: each series, then the bounds."""
    rows = []
    for item in series:
        cells = []
        for rate, bounds in item.finals:
            interval = f"[{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]" if bounds else ""
            cells.append(mean_cell(float("nan") if rate is None else rate, interval=interval))
        rows.append((f"{item.title} ({item.note})", cells))
    for bound in references:
        cells = [mean_cell(rate) for rate in bound.success]
        rows.append((f"{bound.title} ({bound.note})", cells))
    return HeatTable(labels, rows)


def _runs(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Return one row for each run: what it is and what it took."""
    rows: list[tuple[str, ...]] = []
    for run in runs:
        results = run.results
        done = f"{results.experiences_done} of {len(results.tasks)} experiences"
        rows.append(
            (
                run.name,
                method_words(results),
                str(results.seed),
                "yes" if results.finished else f"no, {done}",
                number_words(results.metrics.get("average_success")),
                number_words(results.metrics.get("forgetting")),
                f"{results.cost.wall_time_s.total:,.1f}",
                _kept(results.cost),
                f"{results.cost.trainable_parameters:,}",
            )
        )
    return rows


def _kept(cost: Cost) -> str:
    """Return the bytes that a strategy keeps; results of earlier versions know of buffers alone."""
    kept = cost.replay_bytes or None if cost.strategy_bytes is None else cost.strategy_bytes
    return NOT_EVALUATED if kept is None else f"{kept:,}"


def _protocol(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return every entry of the protocol; where runs differ, each value once."""
    keys = dict.fromkeys(key for run in runs for key in run.results.protocol)
    rows = []
    for key in keys:
        values = dict.fromkeys(value_words(run.results.protocol.get(key)) for run in runs)
        rows.append((key.replace("_", " "), "; ".join(values)))
    return rows
