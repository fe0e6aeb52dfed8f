"""The few sentences and numbers that stand at the top of a report."""

from __future__ import annotations

from dataclasses import dataclass

from lam_agent.report.words import interval_words, metric_value_words, metric_words, rate_words
from lam_agent.results import Results

_HEADLINE = ("average_success", "forgetting", "retention", "forward_transfer")


@dataclass(frozen=True)
class Headline:
    """One large number."""

    title: str
    value: str
    note: str


def headline(results: Results) -> list[Headline]:
    """Return the headline numbers of a run."""
    numbers = []
    for name in _HEADLINE:
        interval = results.intervals.get(name)
        note = "" if interval is None else interval_words(interval)
        value = metric_value_words(results, name)
        numbers.append(Headline(metric_words(name).title, value, note))
    minutes, seconds = divmod(round(results.cost.wall_time_s.total), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
    numbers.append(Headline("wall time", clock, f"{results.cost.wall_time_s.total:,.1f} s"))
    return numbers


def verdict(results: Results) -> str:
    """Return what the run shows, in words."""
    count = len(results.tasks)
    if not results.finished:
        return (
            f"Not finished: {results.experiences_done} of {count} experiences are done. Metrics "
            "that need the whole stream are not measured yet."
        )
    average, lost = results.metrics.get("average_success"), results.metrics.get("forgetting")
    if average is None:
        return (
            "The last row of the success matrix is not evaluated, so there is no average success."
        )
    over = f" on average over {count} tasks" if count > 1 else ""
    rate = rate_words(average, results.intervals.get("average_success"))
    text = f"After the last experience the policy succeeds in {rate} of the test episodes{over}."
    if lost is None:
        return text
    bounds = results.intervals.get("forgetting")
    interval = f" [{100 * bounds[0]:z.1f}, {100 * bounds[1]:z.1f}]" if bounds else ""
    if f"{100 * lost:z.1f}" == "0.0":
        return (
            f"{text} On average it kept what it could right after each task was learned{interval}."
        )
    change = "less" if lost > 0 else "more"
    amount = f"{100 * abs(lost):.1f} percentage points {change}"
    forgetting = f" (forgetting {100 * lost:z.1f}{interval})" if interval else ""
    return f"{text} That is {amount} than right after each task was learned{forgetting}."
