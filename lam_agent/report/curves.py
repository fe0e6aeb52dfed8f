"""The plots of one run: success along the stream and learning within each experience."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lam_agent.errors import ResultsError
from lam_agent.metrics import Metric
from lam_agent.metrics.cells import FloatArray
from lam_agent.metrics.intervals import Interval, bootstrap_intervals, wilson_interval
from lam_agent.report.events import CurvePoint, Events, curve_point
from lam_agent.report.heat import learned_row
from lam_agent.report.plot import (
    Axis,
    Line,
    Plot,
    Point,
    count_axis,
    log_axis,
    percent_axis,
    stream_axis,
)
from lam_agent.report.words import cell_words, column_labels, rate_words, row_labels
from lam_agent.results import Results

SAMPLES = 1000
"""Draws of a bootstrap that only a report needs: enough for two digits, and a page in seconds."""

_MOST_POINTS = 200
"""Points of a training curve that are drawn; more cannot be told apart."""


@dataclass(frozen=True)
class LearningPlots:
    """Loss and validation success of one experience; None where nothing was logged."""

    label: str
    loss: Plot | None
    success: Plot | None
    points: Sequence[CurvePoint]


def task_plots(results: Results) -> Iterator[tuple[str, Plot]]:
    """Return the success of each task along the stream, at any step and at the last step."""
    matrix, rows = results.matrix, row_labels(results.tasks)
    axis = stream_axis(matrix.num_tasks, "after experience")
    for column, label in enumerate(column_labels(results.tasks)):
        lines = []
        for rates, style, marker in (
            (matrix.success_at_end, "second", 1),
            (matrix.success, "accent", 0),
        ):
            points = []
            for row, name in enumerate(rows):
                rate, count = float(rates[row, column]), float(matrix.episodes[row, column])
                if math.isnan(rate):
                    points.append(Point(row, math.nan))
                    continue
                low, high = wilson_interval(round(rate * count), round(count))
                words = f"{name}: {' '.join(cell_words(rate, count))}"
                points.append(Point(row, rate, low, high, words))
            if style == "second":  # Bars of both lines would cover each other.
                points = [
                    Point(point.x, point.y, words=f"{point.words} at the last step")
                    for point in points
                ]
            lines.append(Line(points, style, marker))
        marks = (learned_row(matrix.success, column),)
        words = f"Success of {label} along the stream; every value stands in the success matrix."
        yield label, Plot(words, axis, percent_axis(), lines, marks=marks)


def seen_metrics(num_tasks: int) -> dict[str, Metric]:
    """Return, for the row after each experience, the mean success over the tasks seen so far."""
    return {str(row): Metric(partial(_seen, row)) for row in range(1, num_tasks + 1)}


def _seen(row: int, success: FloatArray) -> FloatArray:
    """Return mean_{j<=row} success[row, j], or NaN where one of them was not evaluated."""
    sums: FloatArray = success[..., row, :row].sum(axis=-1)
    return sums / row


def seen_values(results: Results) -> dict[str, tuple[float | None, Interval | None]]:
    """Return the mean success over the tasks seen so far, with intervals, of one run."""
    metrics = seen_metrics(len(results.tasks))
    intervals = bootstrap_intervals(results.matrix, metrics, SAMPLES, results.tasks)
    last = str(len(results.tasks))  # Which is the average success, drawn more often.
    intervals[last] = results.intervals.get("average_success", intervals[last])
    return {name: (metric(results.matrix), intervals[name]) for name, metric in metrics.items()}


def seen_line(
    values: Mapping[str, tuple[float | None, Interval | None]],
    style: str,
    marker: int = 0,
    shift: float = 0.0,
    name: str = "",
) -> Line:
    """Return the line of the mean success over the tasks seen so far.

    Args:
        values: Row -> mean and interval.
        style: CSS class that colours it.
        marker: Number of the marker's shape.
        shift: Experiences by which it is moved, so that intervals of several lines stand apart.
        name: What it belongs to, for the words of its points.
    """
    points = []
    for row, (value, interval) in values.items():
        rate = math.nan if value is None else value
        low, high = interval or (math.nan, math.nan)
        words = f"{name} after experience {row}: {rate_words(value, interval)}".strip()
        points.append(Point(int(row) + shift, rate, low, high, words))
    return Line(points, style, marker)


def seen_plot(lines: Sequence[Line], num_tasks: int) -> Plot:
    """Return the plot of the mean success over the tasks seen so far."""
    words = "Mean success over the tasks seen so far, after each experience."
    axis = stream_axis(num_tasks, "after experience")
    return Plot(words, axis, percent_axis(), lines, width=460, height=220)


def learning_plots(results: Results, events: Events) -> list[LearningPlots]:
    """Return the learning curves of each experience, all on the same axes."""
    validation = [_validation(results, events, place) for place in range(len(results.tasks))]
    training = [
        _thinned(sorted(events.training.get(place, {}).values(), key=lambda point: point.step))
        for place in range(len(results.tasks))
    ]
    points = [point for curve in (*validation, *training) for point in curve]
    if not points:
        return []
    labels = column_labels(results.tasks)
    if results.strategy == "joint":
        labels[-1] = "all tasks"
    steps = count_axis(max(point.step for point in points), "gradient step")
    losses = [point.loss for point in points if point.loss > 0]
    loss_axis = log_axis(losses) if losses else None
    return [
        LearningPlots(
            label,
            _loss_plot(label, learned, trained, steps, loss_axis),
            _success_plot(label, learned, steps),
            learned,
        )
        for label, learned, trained in zip(labels, validation, training, strict=True)
        if learned or trained
    ]


def _validation(results: Results, events: Events, position: int) -> list[CurvePoint]:
    """Return the validations of an experience; those of the results where none was logged."""
    logged = events.validation.get(position)
    if logged:
        return [logged[step] for step in sorted(logged)]
    for entry in results.per_task:
        if entry.get("position") == position:
            try:
                return [curve_point(row) for row in entry.get("learning") or ()]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ResultsError(
                    f"the learning curve of task {position} in per_task cannot be read ({error}); "
                    "each entry must have a step, a loss and a success."
                ) from error
    return []


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Return every n-th point and the last one."""
    every = math.ceil(len(points) / _MOST_POINTS)
    return [*points[: -1 : every or 1], *points[-1:]]


def _loss_plot(
    label: str,
    validation: Sequence[CurvePoint],
    training: Sequence[CurvePoint],
    steps: Axis,
    losses: Axis | None,
) -> Plot | None:
    """Return the loss over the gradient steps: of training, and where it was validated."""
    if losses is None:
        return None

    def points(curve: Sequence[CurvePoint]) -> list[Point]:
        return [
            Point(
                at.step,
                at.loss if at.loss > 0 else math.nan,
                words=f"step {at.step:,}: loss {at.loss:.4g}",
            )
            for at in curve
        ]

    lines = [Line(points(training), "second thin", marker=-1), Line(points(validation), "accent")]
    return Plot(f"Loss while learning {label}.", steps, losses, lines, height=150)


def _success_plot(label: str, validation: Sequence[CurvePoint], steps: Axis) -> Plot | None:
    """Return the validation success over the gradient steps."""
    points = [
        Point(at.step, at.success, words=f"step {at.step:,}: {100 * at.success:.1f} %")
        for at in validation
    ]
    if all(math.isnan(point.y) for point in points):
        return None
    words = f"Validation success while learning {label}."
    return Plot(words, steps, percent_axis(), [Line(points, "accent")], height=150)
