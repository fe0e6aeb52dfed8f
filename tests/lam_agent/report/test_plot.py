"""Plots put values where their axes say, and leave gaps where nothing was measured."""

import math

import pytest

from lam_agent.report.plot import (
    MARKERS,
    Axis,
    Line,
    Plot,
    Point,
    count_axis,
    log_axis,
    marker_path,
    percent_axis,
    stream_axis,
)

NAN = math.nan


def make_plot(*points: Point) -> Plot:
    """Return a plot of one line on simple axes."""
    axis = Axis(0.0, 10.0, [])
    return Plot("words", axis, Axis(0.0, 1.0, []), [Line(points, "accent")], width=152, height=145)


def test_values_lie_where_the_axes_say() -> None:
    plot = make_plot()
    left, top, right, bottom = plot.area
    assert (plot.across(0), plot.across(5), plot.across(10)) == (left, (left + right) / 2, right)
    assert (plot.up(0), plot.up(1)) == (bottom, top)
    assert plot.up(2) == top, "Beyond the axis is its end."


def test_a_gap_interrupts_the_line_and_its_point_has_no_marker() -> None:
    plot = make_plot(Point(0, 0.1), Point(1, 0.2), Point(2, NAN), Point(3, 0.3, 0.2, 0.4, "words"))
    line = plot.lines[0]
    assert plot.path(line).count("M") == 2 and plot.path(line).count("L") == 1
    markers = list(plot.markers(line))
    assert len(markers) == 3 and markers[-1][1] == "words"
    assert plot.bars(line) == f"M{plot.across(3):g} {plot.up(0.2):g}V{plot.up(0.4):g}"


def test_equal_ratios_are_equally_long_on_a_log_axis() -> None:
    axis = log_axis([0.01, 1.0])
    shares = [axis.share(value) for value in (0.01, 0.1, 1.0)]
    assert shares[1] - shares[0] == pytest.approx(shares[2] - shares[1])


@pytest.mark.parametrize("values", [[0.5], [0.03, 0.5], [1e-6, 1e6], [0.0123, 0.0124]])
def test_log_ticks_are_few_and_inside(values: list[float]) -> None:
    axis = log_axis(values)
    assert len(axis.ticks) <= 6
    assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)
    assert axis.low < min(values) and max(values) < axis.high


@pytest.mark.parametrize("high", [0, 1, 7, 999, 1000, 123_456])
def test_count_ticks_are_round_few_and_inside(high: int) -> None:
    axis = count_axis(high, "step")
    assert 2 <= len(axis.ticks) <= 6
    assert axis.ticks[0][0] == 0 and axis.ticks[-1][0] <= axis.high


@pytest.mark.parametrize("num_tasks", [1, 2, 10, 11, 20, 100])
def test_stream_ticks_are_whole_experiences(num_tasks: int) -> None:
    axis = stream_axis(num_tasks, "after experience")
    assert 2 <= len(axis.ticks) <= 11
    assert axis.low < 0 and axis.high > num_tasks


def test_no_success_rate_is_cut_and_every_marker_is_another() -> None:
    assert percent_axis().low < 0 and percent_axis().high > 1
    shapes = [marker_path(shape, 10, 10) for shape in range(MARKERS)]
    assert len(set(shapes)) == MARKERS
    assert marker_path(MARKERS, 10, 10) == shapes[0]
