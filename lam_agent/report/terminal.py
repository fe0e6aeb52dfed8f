"""The results of a run as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lam_agent.report.heat import HeatTable, factor_table, matrix_table
from lam_agent.report.words import (
    INTERVAL,
    interval_words,
    metric_names,
    metric_value_words,
    metric_words,
)
from lam_agent.results import Results


def print_results(results: Results, console: Console) -> None:
    """Print the success matrix and the metrics."""
    console.print(_matrix(results))
    print_metrics(results, console)


def print_metrics(results: Results, console: Console) -> None:
    """Print the metrics."""
    console.print(_metrics(results))


def print_factors(results: Results, console: Console) -> None:
    """Print the success after the last experience by what varies, where it is measured."""
    found = factor_table(results)
    if found is not None:
        title = f"Success by what varies, after the last experience, {INTERVAL}"
        console.print(_heat(found, title, "what varies"))


def _matrix(results: Results) -> Table:
    """Return the success matrix."""
    title = f"Success in % of {results.protocol['episodes']} episodes, {INTERVAL}"
    return _heat(matrix_table(results, results.matrix.success), title, "")


def _heat(found: HeatTable, title: str, corner: str) -> Table:
    """Return a table of success rates; each cell holds its rate and, below, its interval."""
    table = Table(title=title)
    table.add_column(corner)
    for label in found.columns:
        table.add_column(Text(label), justify="right")
    for label, cells in found.rows:
        table.add_row(
            Text(label), *(Text(f"{cell.rate}\n{cell.interval}".strip()) for cell in cells)
        )
    return table


def _metrics(results: Results) -> Table:
    """Return the metrics with their intervals."""
    table = Table(title=f"Metrics of {results.strategy}, seed {results.seed}")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column(INTERVAL, justify="right")
    for name in metric_names(results):
        interval = results.intervals.get(name)
        table.add_row(
            Text(metric_words(name).title),
            Text(metric_value_words(results, name)),
            Text(interval_words(interval)),
        )
    return table
