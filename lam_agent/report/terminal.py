"""The results of a run as tables in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lam_agent.report.heat import factor_table
from lam_agent.report.words import (
    INTERVAL,
    cell_words,
    column_labels,
    interval_words,
    metric_names,
    metric_words,
    number_words,
    row_labels,
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
    perturbed = results.perturbed
    if perturbed is None or perturbed.by_factor is None:
        return
    found = factor_table(results, perturbed, perturbed.by_factor)
    table = Table(title=f"Success by what varies, after the last experience, {INTERVAL}")
    table.add_column("what varies")
    for label in found.columns:
        table.add_column(Text(label), justify="right")
    for label, cells in found.rows:
        table.add_row(
            Text(label), *(Text(f"{cell.rate}\n{cell.interval}".strip()) for cell in cells)
        )
    console.print(table)


def _matrix(results: Results) -> Table:
    """Return the success matrix; each cell holds its rate and, below, its interval."""
    table = Table(title=f"Success in % of {results.protocol['episodes']} episodes, {INTERVAL}")
    table.add_column("")
    for label in column_labels(results.tasks):
        table.add_column(Text(label), justify="right")
    matrix = results.matrix
    labels = row_labels(results.tasks)
    for label, row, episodes in zip(labels, matrix.success, matrix.episodes, strict=True):
        cells = [cell_words(rate, count) for rate, count in zip(row, episodes, strict=True)]
        table.add_row(
            Text(label), *(Text(f"{rate}\n{interval}".strip()) for rate, _, interval in cells)
        )
    return table


def _metrics(results: Results) -> Table:
    """Return the metrics with their intervals."""
    table = Table(title=f"Metrics of {results.strategy}, seed {results.seed}")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column(INTERVAL, justify="right")
    for name in metric_names(results):
        value, interval = results.metrics[name], results.intervals.get(name)
        table.add_row(
            Text(metric_words(name).title),
            Text(number_words(value)),
            Text(interval_words(interval)),
        )
    return table
