"""The figure of few-shot success: a panel for each task and one for their mean, as one SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from lam_agent.files import write_text_atomically
from lam_agent.report.plot import Axis, Line, Plot, Point, marker_path, percent_axis

Row = dict[str, Any]
Series = tuple[str, str]

_COLOURS = ("#0a5ca8", "#b4530a", "#1f7a4d", "#7a3b9c", "#8a6d00", "#555555", "#b0245f")
_COLUMNS = 5
_WIDTH, _HEIGHT, _TITLE, _KEY = 250, 170, 22, 34

_STYLE = """\
text{font:11px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:13px}
.up{text-anchor:end}.across{text-anchor:middle}
.grid{stroke:#ddd;fill:none}.axis{stroke:#555;fill:none}
.stroke{fill:none;stroke-width:1.8}.band{opacity:.15;stroke:none}"""


def draw(points: Sequence[Row], means: Sequence[Row], path: Path) -> Path:
    """Draw points and their means.

    The panel of the mean has the points that every task has. The horizontal axis has equal
    distances between the numbers of demonstrations.

    Args:
        points: What `benchmarks.few_shot` measured.
        means: Their means over tasks.
        path: Where to write.

    Returns:
        `path`.
    """
    series = list(dict.fromkeys((row["start"], row["mode"]) for row in points))
    counts = sorted({row["demonstrations"] for row in points})
    tasks = list(dict.fromkeys(row["task"] for row in points))
    of_all = [row for row in means if row["tasks"] == len(tasks)]
    panels = [(f"mean of {len(tasks)} tasks", of_all)]
    panels += [(task, [row for row in points if row["task"] == task]) for task in tasks]
    columns = min(_COLUMNS, len(panels))
    width = max(columns * _WIDTH, 160 * len(series))
    height = _KEY + math.ceil(len(panels) / columns) * (_HEIGHT + _TITLE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}" aria-label="Success after few demonstrations">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *(_key(place, name) for place, name in enumerate(series)),
    ]
    for place, (title, rows) in enumerate(panels):
        x = place % columns * _WIDTH
        y = _KEY + place // columns * (_HEIGHT + _TITLE)
        panel = _panel(title, rows, series, counts)
        parts.append(f'<g transform="translate({x} {y})">{panel}</g>')
    write_text_atomically(path, "\n".join((*parts, "</svg>\n")))
    return path


def _panel(title: str, rows: Sequence[Row], series: Sequence[Series], counts: Sequence[int]) -> str:
    """Return one panel: a line with a band for each start and mode."""
    ticks = [(float(place), str(count)) for place, count in enumerate(counts)]
    axis = Axis(-0.3, len(counts) - 0.7, ticks, label="demonstrations")
    lines = []
    for place, name in enumerate(series):
        own = [row for row in rows if (row["start"], row["mode"]) == name]
        own.sort(key=lambda row: int(row["demonstrations"]))
        measured = [
            Point(
                counts.index(row["demonstrations"]),
                row["success"],
                row["interval"][0],
                row["interval"][1],
                words=f"{_label(name)}, {row['demonstrations']}: {row['success']:.0%}",
            )
            for row in own
        ]
        lines.append(Line(measured, _COLOURS[place % len(_COLOURS)], place))
    plot = Plot(title, axis, percent_axis(), lines, width=_WIDTH, height=_HEIGHT)
    left, _, right, bottom = plot.area
    middle = (left + right) / 2
    parts = [f'<text class="title" x="{left:g}" y="14">{escape(title)}</text>']
    parts.append(f'<g transform="translate(0 {_TITLE - 4})">')
    for value, label in plot.y.ticks:
        y = plot.up(value)
        parts.append(f'<path class="grid" d="M{left:g} {y:g}H{right:g}"/>')
        parts.append(f'<text class="up" x="{left - 6:g}" y="{y + 3.5:g}">{label}</text>')
    for value, label in plot.x.ticks:
        x = plot.across(value)
        parts.append(f'<text class="across" x="{x:g}" y="{bottom + 14:g}">{label}</text>')
    parts.append(f'<path class="axis" d="M{left:g} {bottom:g}H{right:g}"/>')
    parts.append(f'<text class="across" x="{middle:g}" y="{bottom + 28:g}">{plot.x.label}</text>')
    parts += [_line(plot, line) for line in lines if line.points]
    return "".join((*parts, "</g>"))


def _line(plot: Plot, line: Line) -> str:
    """Return a line with its band and its markers."""
    upper = [(plot.across(point.x), plot.up(point.high)) for point in line.points]
    lower = [(plot.across(point.x), plot.up(point.low)) for point in reversed(line.points)]
    if len(upper) == 1:  # A band needs a width.
        ((x, high),), ((_, low),) = upper, lower
        upper, lower = [(x - 4, high), (x + 4, high)], [(x + 4, low), (x - 4, low)]
    outline = " ".join(f"{x:g},{y:g}" for x, y in (*upper, *lower))
    markers = "".join(
        f'<path d="{shape}" fill="{line.style}"><title>{escape(words)}</title></path>'
        for shape, words in plot.markers(line)
    )
    return (
        f'<polygon class="band" fill="{line.style}" points="{outline}"/>'
        f'<path class="stroke" stroke="{line.style}" d="{plot.path(line)}"/>{markers}'
    )


def _key(place: int, name: Series) -> str:
    """Return an entry of the legend."""
    colour, x = _COLOURS[place % len(_COLOURS)], 12 + 160 * place
    return (
        f'<path class="stroke" stroke="{colour}" d="M{x} 18h26"/>'
        f'<path d="{marker_path(place, x + 13, 18)}" fill="{colour}"/>'
        f'<text x="{x + 32}" y="22">{escape(_label(name))}</text>'
    )


def _label(name: Series) -> str:
    """Return what a line is of, in words."""
    start, mode = name
    return f"{start}, {mode}"
