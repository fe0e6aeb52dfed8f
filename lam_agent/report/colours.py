"""Colours of success rates: a blue ramp for light pages and one for dark ones, with readable ink.

Lightness alone tells the rates apart, so that the ramps also read in grey and with any colour
vision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Rgb = tuple[int, int, int]

_LIGHT: Sequence[Rgb] = (
    (245, 248, 252),
    (203, 222, 241),
    (117, 174, 219),
    (36, 113, 181),
    (8, 45, 99),
)
_DARK: Sequence[Rgb] = ((27, 35, 44), (27, 59, 92), (38, 103, 158), (96, 165, 222), (196, 226, 255))
_INKS: Sequence[Rgb] = ((0, 0, 0), (255, 255, 255))


@lru_cache(maxsize=4096)
def heat_style(rate: float) -> str:
    """Return the four colours of a success rate as CSS variables.

    `--l` and `--li` are the cell and its ink on a light page, `--d` and `--di` on a dark one.

    Args:
        rate: Success rate in [0, 1].
    """
    light, dark = _mix(_LIGHT, rate), _mix(_DARK, rate)
    colours = {"l": light, "li": readable_ink(light), "d": dark, "di": readable_ink(dark)}
    return ";".join(f"--{name}:{_hex(colour)}" for name, colour in colours.items())


def readable_ink(background: Rgb) -> Rgb:
    """Return black or white, whichever stands out more; the contrast is at least 4.5 to 1."""
    return max(_INKS, key=lambda ink: contrast(ink, background))


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _mix(ramp: Sequence[Rgb], rate: float) -> Rgb:
    """Return the colour at a share of the way along a ramp."""
    place = min(max(rate, 0.0), 1.0) * (len(ramp) - 1)
    below = min(int(place), len(ramp) - 2)
    share = place - below
    red, green, blue = (
        round(low + share * (high - low))
        for low, high in zip(ramp[below], ramp[below + 1], strict=True)
    )
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    """Return the relative luminance of an sRGB colour (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(colour: Rgb) -> str:
    """Return a colour as CSS writes it."""
    return "#" + "".join(f"{value:02x}" for value in colour)
