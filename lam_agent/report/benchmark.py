"""What a benchmark found: a page that compares its runs, a table for people, JSON for programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lam_agent.files import write_text_atomically
from lam_agent.report.comparison import Measured, Run, Series, load_runs, make_series, perturbations
from lam_agent.report.comparison_html import render_comparison
from lam_agent.report.reference_rows import ReferenceRow, reference_rows
from lam_agent.report.words import (
    METRIC_WORDS,
    NOT_EVALUATED,
    interval_words,
    metric_words,
    number_words,
    protocol_words,
)

FORMAT_VERSION = 1
"""Format of `benchmark.json`."""

_MAIN = ("average_success", "forgetting", "normalised_forgetting", "nbt", "auc")
"""Metrics of the table that are always there; the others follow where a run has them."""

_INTERVALS = (
    "In brackets: 95 % intervals, over seeds and episodes where several seeds stand together, else "
    "over the episodes of one run. What is 0 or 1 in every run does not vary in a bootstrap."
)


def write_benchmark(results: Sequence[Path], page: Path, table: Path, data: Path) -> None:
    """Write what several runs of one protocol found; each file is whole or as it was.

    Args:
        results: `results.json` of each run, two or more.
        page: The comparison, as HTML.
        table: A table of the metrics, as Markdown.
        data: The same as JSON, with the runs by their paths from this file.

    Raises:
        ResultsError: Runs that cannot be read or compared.
    """
    runs = load_runs(results)
    found = runs, make_series(runs), reference_rows(runs)
    write_text_atomically(page, render_comparison(*found))
    write_text_atomically(table, _table(*found))
    write_text_atomically(data, json.dumps(_data(*found, data.parent), indent=2) + "\n")


def _table(runs: Sequence[Run], series: Sequence[Series], bounds: Sequence[ReferenceRow]) -> str:
    """Return the metrics of each method in Markdown."""
    names = [*_MAIN, *(name for name in METRIC_WORDS if name not in _MAIN)]
    names = [name for name in names if any(_value(item, name)[0] is not None for item in series)]
    results = runs[0].results
    lines = [
        f"# {' → '.join(results.tasks)}",
        "",
        protocol_words(results, has_last_step=False) + perturbations(runs),
        "",
        "| strategy | " + " | ".join(metric_words(name).title for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for item in series:
        cells = [_words(*_value(item, name)) for name in names]
        lines.append(f"| {item.title} ({item.note}) | " + " | ".join(cells) + " |")
    for bound in bounds:
        known = {"average_success": number_words(bound.average_success)}
        cells = [known.get(name, NOT_EVALUATED) for name in names]
        lines.append(f"| {bound.title} ({bound.note}) | " + " | ".join(cells) + " |")
    lines += ["", _INTERVALS]
    return "\n".join(lines) + "\n"


def _data(
    runs: Sequence[Run], series: Sequence[Series], bounds: Sequence[ReferenceRow], folder: Path
) -> dict[str, Any]:
    """Return the metrics of each method as JSON holds them."""
    results = runs[0].results
    return {
        "format_version": FORMAT_VERSION,
        "tasks": list(results.tasks),
        "methods": [
            {
                "method": item.title,
                "note": item.note,
                "metrics": {
                    name: {"value": value, "interval": list(interval) if interval else None}
                    for name, (value, interval) in item.metrics.items()
                },
                "success_at_the_end": [value for value, _ in item.finals],
            }
            for item in series
        ],
        "bounds": [
            {
                "bound": bound.title,
                "note": bound.note,
                "average_success": bound.average_success,
                "success": [None if math.isnan(rate) else rate for rate in bound.success],
            }
            for bound in bounds
        ],
        "runs": [
            {
                "strategy": run.results.strategy,
                "seed": run.results.seed,
                "finished": run.results.finished,
                "results": os.path.relpath(run.path.resolve(), folder.resolve()),
            }
            for run in runs
        ],
    }


def _value(series: Series, name: str) -> Measured:
    """Return a metric and its interval."""
    return series.metrics.get(name, (None, None))


def _words(value: float | None, interval: tuple[float, float] | None) -> str:
    """Return a metric and its interval in words."""
    if value is None:
        return NOT_EVALUATED
    return number_words(value) + (f" {interval_words(interval)}" if interval else "")
