"""Colours of success rates tell them apart, and every number on them can be read."""

import re

from lam_agent.report.colours import Rgb, contrast, heat_style


def colours(percent: int) -> dict[str, Rgb]:
    """Return the colours of a rate by the name of their variable."""
    pairs = re.findall(r"--(\w+):#(..)(..)(..)", heat_style(percent / 100))
    return {name: (int(r, 16), int(g, 16), int(b, 16)) for name, r, g, b in pairs}


def test_ink_can_be_read_on_every_rate() -> None:
    for percent in range(101):
        found = colours(percent)
        assert contrast(found["l"], found["li"]) >= 4.5
        assert contrast(found["d"], found["di"]) >= 4.5


def test_lightness_alone_orders_the_rates() -> None:
    white, black = (255, 255, 255), (0, 0, 0)
    light = [contrast(colours(percent)["l"], white) for percent in range(0, 101, 5)]
    dark = [contrast(colours(percent)["d"], black) for percent in range(0, 101, 5)]
    assert light == sorted(set(light)) and dark == sorted(set(dark))
    assert light[-1] > 12 and dark[-1] > 12


def test_contrast_is_that_of_the_standard() -> None:
    assert round(contrast((255, 255, 255), (0, 0, 0)), 2) == 21.0
    assert round(contrast((119, 119, 119), (255, 255, 255)), 2) == 4.48
