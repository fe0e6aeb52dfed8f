"""`report.html`: the results of a run as one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lam_agent.report.bounds import bounds
from lam_agent.report.curves import (
    learning_plots,
    seen_line,
    seen_plot,
    seen_values,
    task_plots,
)
from lam_agent.report.events import Events
from lam_agent.report.heat import factor_table, matrix_table, perturbed_table, pretraining_table
from lam_agent.report.page import render_page
from lam_agent.report.published import PUBLISHED
from lam_agent.report.summary import headline, verdict
from lam_agent.report.tasks import describe_tasks
from lam_agent.report.words import (
    column_labels,
    cost_rows,
    interval_sentence,
    interval_words,
    metric_names,
    metric_value_words,
    metric_words,
    protocol_words,
    value_words,
)
from lam_agent.results import Results

_SHOWN_ELSEWHERE = ("position", "task", "instruction", "learning")
"""Keys of `per_task` that have their own place on the page."""


@dataclass(frozen=True)
class Phase:
    """Seconds of one phase and its share of the whole."""

    name: str
    seconds: str
    percent: float


def render_html(results: Results, events: Events | None = None, base: str = "") -> str:
    """Return the report of a run as one HTML page.

    Args:
        results: The results.
        events: The log of the run; none: pictures and training loss are left out.
        base: Where the run folder lies as the page sees it; empty: the page lies in it.
    """
    events = events or Events()
    matrix = results.matrix
    seen, perturbed = seen_values(results), results.perturbed
    return render_page(
        "run.html.j2",
        results=results,
        labels=column_labels(results.tasks),
        headline=headline(results),
        verdict=verdict(results),
        tasks=describe_tasks(results, events, base),
        is_randomised=_is_randomised(results),
        success=matrix_table(results, matrix.success),
        at_end=matrix_table(results, matrix.success_at_end),
        seen=seen_plot([seen_line(seen, "accent")], matrix.num_tasks),
        task_plots=list(task_plots(results)),
        learning=learning_plots(results, events),
        pretraining=pretraining_table(results.pretraining) if results.pretraining.tasks else None,
        perturbed=perturbed_table(results, perturbed) if perturbed else None,
        by_factor=factor_table(results),
        bounds=bounds(results),
        metrics=_metrics(results),
        interval_words=interval_sentence(results),
        published=PUBLISHED,
        protocol_words=protocol_words(results),
        protocol=[
            (key.replace("_", " "), value_words(item)) for key, item in results.protocol.items()
        ],
        phases=_phases(results),
        cost=cost_rows(results),
        per_task=_per_task(results),
    )


def _is_randomised(results: Results) -> bool:
    """Tell whether the demonstrations were randomised."""
    settings = results.protocol.get("demonstration_randomisation")
    return isinstance(settings, Mapping) and any(settings.values())


def _metrics(results: Results) -> list[tuple[str, str, str, str, str]]:
    """Return title, value, interval, formula and source of each metric."""
    rows = []
    for name in metric_names(results):
        words, interval = metric_words(name), results.intervals.get(name)
        value = metric_value_words(results, name)
        rows.append((words.title, value, interval_words(interval), words.formula, words.source))
    return rows


def _phases(results: Results) -> list[Phase]:
    """Return the phases of the run; what none of them took is the last one."""
    times = results.cost.wall_time_s
    seconds = {
        "collect": times.collect,
        "encode and adapt" if times.encode else "adapt": times.encode + times.adapt,
        "evaluate": times.evaluate,
    }
    rest = times.total - sum(seconds.values())
    seconds["other"] = max(rest, 0.0)
    whole = sum(seconds.values()) or 1.0
    return [Phase(name, f"{spent:,.1f} s", 100 * spent / whole) for name, spent in seconds.items()]


def _per_task(results: Results) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of what else is known of each task; empty where there is nothing."""
    keys = dict.fromkeys(
        key for entry in results.per_task for key in entry if key not in _SHOWN_ELSEWHERE
    )
    if not keys:
        return [], []
    rows = [[value_words(entry.get(key)) for key in ("task", *keys)] for entry in results.per_task]
    return ["task", *(key.replace("_", " ") for key in keys)], rows
