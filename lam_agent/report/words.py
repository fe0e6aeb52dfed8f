"""The words of every report: labels, formulas in words with their source, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lam_agent.metrics.intervals import CONFIDENCE, Interval, wilson_interval
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.results import Results

NOT_MEASURED = "not measured"
UNDEFINED = "undefined"
NOT_EVALUATED = "–"
INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"


@dataclass(frozen=True)
class MetricWords:
    """A metric in words."""

    title: str
    formula: str
    source: str


_GEM = "Lopez-Paz & Ranzato 2017"
_CONTINUAL_WORLD = "Wolczyk et al. 2021 (Continual World)"
_LIBERO = "Liu et al. 2023 (LIBERO), Eq. 3"

METRIC_WORDS: Mapping[str, MetricWords] = {
    "average_success": MetricWords(
        "average success",
        "mean over tasks of the success after the last experience",
        f"{_GEM}, Eq. 2",
    ),
    "forgetting": MetricWords(
        "forgetting",
        "mean over all tasks of the success right after the task was learned minus the success "
        "after the last experience; positive is worse",
        _CONTINUAL_WORLD,
    ),
    "normalised_forgetting": MetricWords(
        "normalised forgetting",
        "forgetting divided by the mean success right after each task was learned",
        "this project",
    ),
    "retention": MetricWords(
        "retention",
        "mean over the tasks that were ever learned of the share of the success right after "
        "learning that is left after the last experience, at most 1",
        "this project",
    ),
    "backward_transfer": MetricWords(
        "backward transfer",
        "mean over all tasks but the last of the success after the last experience minus the "
        "success right after the task was learned; negative is forgetting",
        f"{_GEM}, Eq. 3",
    ),
    "nbt": MetricWords(
        "negative backward transfer (NBT)",
        "mean over all tasks but the last (T-1 tasks) of the mean loss of success after each "
        "later experience; positive is worse",
        _LIBERO,
    ),
    "forward_transfer": MetricWords(
        "forward transfer, zero-shot",
        "mean over all tasks but the first of the success just before the task is learned minus "
        "the success before the stream",
        f"{_GEM}, Eq. 4",
    ),
    "learning_speed_transfer": MetricWords(
        "forward transfer, learning speed",
        "mean over tasks of the area under the learning curve minus that of the task learned "
        "alone, over 1 minus the latter; needs reference runs; tasks where that area is 1 are left "
        "out",
        _CONTINUAL_WORLD,
    ),
    "auc": MetricWords(
        "area under the success curve (AUC)",
        "mean over tasks of the mean of the success while the task was learned and after each "
        "later experience; needs learning curves",
        _LIBERO,
    ),
    "robust_average_success": MetricWords(
        "average success under perturbations",
        "mean over tasks of the success after the last experience in randomised scenes",
        "this project",
    ),
    "robust_retention": MetricWords(
        "robust retention",
        "retention in randomised scenes, when each task was learned and after the last experience",
        "this project",
    ),
    "pretraining_before": MetricWords(
        "pretraining, before the stream",
        "mean success before the stream over tasks that the initial weights learned",
        "this project",
    ),
    "pretraining_after": MetricWords(
        "pretraining, after the stream",
        "mean success after the last experience over the same tasks",
        "this project",
    ),
    "pretraining_forgetting": MetricWords(
        "forgetting of pretraining",
        "mean over the same tasks of the success before the stream minus the success after the "
        "last experience; positive is worse",
        "this project",
    ),
}
"""Metrics in the order in which reports show them."""


def metric_words(name: str) -> MetricWords:
    """Return a metric in words; a metric of another version stands under its own name."""
    return METRIC_WORDS.get(name, MetricWords(name.replace("_", " "), NOT_EVALUATED, NOT_EVALUATED))


def metric_names(results: Results) -> list[str]:
    """Return the metrics of a run in the order of the reports."""
    known = [name for name in METRIC_WORDS if name in results.metrics]
    return known + [name for name in results.metrics if name not in METRIC_WORDS]


def column_labels(tasks: Sequence[str]) -> list[str]:
    """Return one label for each visit: the task, and which visit where it comes again."""
    labels = []
    for position, task in enumerate(tasks):
        visit = 1 + list(tasks[:position]).count(task)
        labels.append(f"{task} (visit {visit})" if tasks.count(task) > 1 else task)
    return labels


def row_labels(tasks: Sequence[str]) -> list[str]:
    """Return one label for each row of the success matrix."""
    return ["before", *(f"after {label}" for label in column_labels(tasks))]


def cell_words(rate: float, episodes: float) -> tuple[str, str, str]:
    """Return a cell in words: percentage, successes of episodes, Wilson interval.

    Args:
        rate: Success rate; NaN where not evaluated, which gives a dash and nothing more.
        episodes: Number of episodes.
    """
    if math.isnan(rate):
        return NOT_EVALUATED, "", ""
    successes, count = round(rate * episodes), round(episodes)
    low, high = wilson_interval(successes, count)
    return f"{100 * rate:.1f} %", f"{successes}/{count}", f"[{100 * low:.1f}, {100 * high:.1f}]"


def rate_words(rate: float | None, interval: Interval | None) -> str:
    """Return a mean success rate in words, with its interval where there is one."""
    if rate is None:
        return NOT_MEASURED
    bounds = f" [{100 * interval[0]:z.1f}, {100 * interval[1]:z.1f}]" if interval else ""
    return f"{100 * rate:z.1f} %{bounds}"


def measured_words(value: float, layout: str) -> str:
    """Return a measured value in a layout such as `{:.1%}`; NaN is not measured."""
    return NOT_MEASURED if math.isnan(value) else layout.format(value)


def number_words(value: float | None) -> str:
    """Return the value of a metric in words."""
    return NOT_MEASURED if value is None else f"{value:z.3f}"


_OF_SEVERAL_TASKS = ("forgetting", "backward_transfer", "nbt", "forward_transfer")


def metric_value_words(results: Results, name: str) -> str:
    """Return the value of a metric of a run in words, and whether one without is undefined."""
    metrics, num_tasks = results.metrics, len(results.tasks)
    value = metrics.get(name)
    if value is None and metrics.get("average_success") is not None:
        single = results.references.get("single_task")
        is_undefined = {
            **dict.fromkeys(_OF_SEVERAL_TASKS, num_tasks == 1),
            # Of nothing that was learned nothing can be kept.
            "normalised_forgetting": num_tasks == 1 or metrics.get("forgetting") is not None,
            "retention": num_tasks == 1 or metrics.get("forgetting") is not None,
            # Of tasks that are solved from the start none can be learned faster.
            "learning_speed_transfer": metrics.get("auc") is not None
            and single is not None
            and set(single.get("area") or ()) == {1},
        }
        return UNDEFINED if is_undefined.get(name, False) else NOT_MEASURED
    return number_words(value)


def interval_words(interval: Interval | None) -> str:
    """Return the interval of a metric in words."""
    return NOT_EVALUATED if interval is None else f"[{interval[0]:z.3f}, {interval[1]:z.3f}]"


def value_words(value: Any) -> str:
    """Return any JSON value in words."""
    if value is None:
        return NOT_EVALUATED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {value_words(entry)}" for key, entry in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(value_words(entry) for entry in value)
    return str(value)


def factor_words(name: str, value: float) -> str:
    """Return a setting of domain randomisation in words: `camera position 0.02 m`."""
    title, _, unit = name.rpartition("_")
    if unit not in ("m", "deg"):
        title, unit = name, ""
    return f"{title.replace('_', ' ')} {value:g} {unit}".strip()


def perturbation_words(perturbed: Perturbed) -> str:
    """Return what varies between episodes, how far, and how many broke, in words."""
    settings = perturbed.randomisation.items()
    words = ", ".join(factor_words(name, value) for name, value in settings if value)
    count = perturbed.unstable_episodes
    return f"{words}; {count} episodes became unstable and count as failed" if count else words


def protocol_words(results: Results, *, has_last_step: bool = True) -> str:
    """Return how success was measured, in sentences.

    Args:
        results: The results.
        has_last_step: Whether success at the last step is shown, too.
    """
    protocol = results.protocol
    beside = "; success at the last step stands beside it" if has_last_step else ""
    return (
        f"Each cell is the share of {protocol['episodes']} test episodes of {protocol['horizon']} "
        f"steps in which the task's predicate holds at any step{beside}. Test starts are fixed for "
        "each task and episode, the same for every row and every strategy; they are disjoint from "
        "the validation starts, by which policies are selected, and from those of demonstrations."
    )


def interval_sentence(results: Results) -> str:
    """Return what the intervals mean and what they leave out."""
    return (
        "Intervals are Wilson's for cells and, for metrics, by parametric bootstrap over episodes. "
        f"They are those of one run (seed {results.seed}) and do not tell how much another seed "
        "would differ. A cell at 0 or 100 % does not vary in the bootstrap; its "
        "own interval says what it leaves open."
    )


def adaptation_mode(results: Results) -> str:
    """Return what of the policy was trained; runs of earlier versions trained all of it."""
    return str(results.protocol.get("adapt", "full"))


def _bytes_words(count: int | None) -> str:
    """Return an amount of memory in words; results of earlier versions have none."""
    return NOT_MEASURED if count is None else f"{count:,} bytes"


def cost_rows(results: Results) -> list[tuple[str, str]]:
    """Return what the run took, as names and amounts with units."""
    cost, times = results.cost, results.cost.wall_time_s
    return [
        ("collecting", f"{times.collect:,.1f} s"),
        *([("encoding pictures once", f"{times.encode:,.1f} s")] if times.encode else []),
        ("adapting", f"{times.adapt:,.1f} s"),
        ("evaluating", f"{times.evaluate:,.1f} s"),
        ("total wall time", f"{times.total:,.1f} s"),
        ("peak memory", f"{cost.peak_memory_mb:,.1f} MB of 10^6 bytes"),
        ("replay buffer", f"{cost.replay_bytes:,} bytes"),
        ("all that the strategy keeps of earlier tasks", _bytes_words(cost.strategy_bytes)),
        ("demonstrations", f"{cost.demonstration_bytes:,} bytes"),
        ("adaptation mode", adaptation_mode(results)),
        ("trainable parameters", f"{cost.trainable_parameters:,}"),
        ("all parameters", f"{cost.total_parameters:,}"),
    ]
