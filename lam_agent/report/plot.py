"""Line plots as geometry that the template `_plot.html.j2` writes as inline SVG.

They take colours and font from the page around them, so they are right on light and dark pages,
and a plot costs a millisecond: a page of twenty tasks has sixty of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 10.0, 9.0, 36.0
"""Pixels around the area of the data."""


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        low: Value at the left or lower end.
        high: Value at the other end, more than `low`.
        ticks: Values with their labels.
        is_log: Whether equal ratios are equally long.
        label: What it shows; only under the horizontal axis.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    is_log: bool = False
    label: str = ""

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, from 0 to 1; the ends clip."""
        low, high, place = self.low, self.high, value
        if self.is_log:
            low, high, place = math.log(low), math.log(high), math.log(max(value, self.low))
        return min(max((place - low) / (high - low), 0.0), 1.0)


@dataclass(frozen=True)
class Point:
    """One measured point; `words` shows where a pointer rests on it."""

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    words: str = ""


@dataclass(frozen=True)
class Line:
    """Points that belong together; a NaN leaves a gap.

    Attributes:
        points: The points from left to right.
        style: CSS class that colours it.
        marker: Number of the marker's shape; -1 for none.
    """

    points: Sequence[Point]
    style: str
    marker: int = 0


@dataclass(frozen=True)
class Plot:
    """A line plot.

    Attributes:
        words: What it shows, for those who do not see it.
        x: Horizontal axis.
        y: Vertical axis.
        lines: Lines; later ones lie on top.
        marks: Values of x at which a dashed line stands.
        width: Pixels.
        height: Pixels.
    """

    words: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    marks: Sequence[float] = ()
    width: float = 280.0
    height: float = 180.0

    @property
    def area(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the area of the data."""
        return _LEFT, _TOP, self.width - _RIGHT, self.height - _BOTTOM

    def across(self, value: float) -> float:
        """Return the horizontal place of a value."""
        left, _, right, _ = self.area
        return round(left + self.x.share(value) * (right - left), 1)

    def up(self, value: float) -> float:
        """Return the vertical place of a value."""
        _, top, _, bottom = self.area
        return round(bottom - self.y.share(value) * (bottom - top), 1)

    def path(self, line: Line) -> str:
        """Return the strokes between neighbouring points that both have a value."""
        pieces, pen_is_down = [], False
        for point in line.points:
            if math.isnan(point.y):
                pen_is_down = False
                continue
            letter = "L" if pen_is_down else "M"
            pieces.append(f"{letter}{self.across(point.x):g} {self.up(point.y):g}")
            pen_is_down = True
        return "".join(pieces)

    def bars(self, line: Line) -> str:
        """Return the strokes of all intervals."""
        return "".join(
            f"M{self.across(point.x):g} {self.up(point.low):g}V{self.up(point.high):g}"
            for point in line.points
            if not (math.isnan(point.low) or math.isnan(point.high))
        )

    def markers(self, line: Line) -> Iterator[tuple[str, str]]:
        """Return the outline and the words of each marker."""
        for point in line.points:
            if line.marker >= 0 and not math.isnan(point.y):
                yield marker_path(line.marker, self.across(point.x), self.up(point.y)), point.words


_SHAPES = (
    "M{a} {y}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z",  # Circle.
    "M{a} {t}h{d}v{d}h-{d}Z",  # Square.
    "M{x} {T}L{B} {y}L{x} {U}L{A} {y}Z",  # Diamond.
    "M{x} {T}L{B} {u}H{A}Z",  # Triangle.
    "M{x} {U}L{B} {t}H{A}Z",  # Triangle on its tip.
    "M{A} {y}H{B}M{x} {T}V{U}",  # Plus.
    "M{a} {t}L{b} {u}M{a} {u}L{b} {t}",  # Cross.
)
MARKERS = len(_SHAPES)

_RADIUS = 3.4
"""Of a marker."""


def marker_path(shape: int, x: float, y: float) -> str:
    """Return the outline of a marker around a place."""
    wide = _RADIUS * 1.3
    places = {
        **{"x": x, "y": y, "r": _RADIUS, "d": 2 * _RADIUS},
        **{"a": x - _RADIUS, "b": x + _RADIUS, "t": y - _RADIUS, "u": y + _RADIUS},
        **{"A": x - wide, "B": x + wide, "T": y - wide, "U": y + wide},
    }
    words = {name: f"{place:.4g}" for name, place in places.items()}
    return _SHAPES[shape % MARKERS].format(**words)


def percent_axis() -> Axis:
    """Return the axis of success rates, a little longer than 0 to 1 so that no marker is cut."""
    return Axis(-0.03, 1.03, [(0.0, "0"), (0.5, "50"), (1.0, "100 %")])


def stream_axis(num_tasks: int, label: str) -> Axis:
    """Return the axis of experiences, from before the stream to after the last one."""
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, 10**9) if num_tasks / step <= 10)
    margin = 0.04 * num_tasks
    ticks = [(float(row), str(row)) for row in range(0, num_tasks + 1, every)]
    return Axis(-margin, num_tasks + margin, ticks, label=label)


def count_axis(high: float, label: str) -> Axis:
    """Return an axis of counts from 0 to at least `high` with round ticks."""
    high = max(high, 1.0)
    step = _round_up(high / 4)
    ticks = [(step * index, f"{step * index:,g}") for index in range(int(high / step) + 1)]
    return Axis(0.0, high * 1.02, ticks, label=label)


def log_axis(values: Sequence[float]) -> Axis:
    """Return an axis of ratios around positive values, with few round ticks."""
    low, high = min(values) * 0.9, max(values) * 1.1
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        ticks = [digit * 10.0**power for power in decades for digit in digits]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= 2:
            break
    every = math.ceil(len(inside) / 5) if inside else 1
    return Axis(low, high, [(tick, f"{tick:g}") for tick in inside[::every]], is_log=True)


def _round_up(value: float) -> float:
    """Return the next number that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * 0.999)
