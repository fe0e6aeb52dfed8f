"""Draw how a world looks: colours, patterns, light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lam_envs.randomisation.ranges import Randomisation
from lam_envs.rays.appearance import CHECKER, PATCHES, PLAIN, STRIPES, Appearance

_PERIODS_M = (0.01, 0.1)
"""Shortest and longest period of a pattern, metres."""

_MOST_TINT = 0.2
"""Change of one channel of the light where all of it is randomised."""

_LOWEST_SUN = 0.3
"""Least height of the light's direction: it shines from above the table."""


class LooksDraw:
    """Draws looks for worlds of one scene.

    Args:
        standard: Looks of one world without randomisation.
        is_kept: Which drawn geoms keep their look, shape (D,), bool.
        ranges: How far looks vary.
    """

    def __init__(
        self, standard: Appearance, is_kept: npt.NDArray[np.bool_], ranges: Randomisation
    ) -> None:
        self._standard = standard
        self._ranges = ranges
        colours, group = np.unique(standard.colour[0], axis=0, return_inverse=True)
        self._num_groups = len(colours)
        self._group = group.ravel()  # Of each geom: those of one colour look alike.
        self._is_kept = is_kept

    def standard(self, num_worlds: int) -> Appearance:
        """Return worlds without randomisation, to draw into."""
        return self._standard.repeated(num_worlds)

    def draw(self, generator: np.random.Generator, looks: Appearance, row: int) -> None:
        """Write new looks into one row; always takes as many random numbers."""
        standard, ranges = self._standard, self._ranges
        colour = generator.random((self._num_groups, 3))
        second = generator.random((self._num_groups, 3))
        has_pattern = generator.random(self._num_groups) < ranges.textures
        pattern = generator.choice((CHECKER, STRIPES, PATCHES), self._num_groups)
        low, high = np.log(_PERIODS_M)
        period = np.exp(generator.uniform(low, high, self._num_groups))
        strength = generator.uniform(-1.0, 1.0, (3, 1))
        tint = generator.uniform(-1.0, 1.0, 3)
        direction = generator.normal(size=3)

        is_changed = ~self._is_kept
        group = self._group[is_changed]
        kept = standard.colour[0, is_changed]
        looks.colour[row, is_changed] = kept + (colour[group] - kept) * ranges.colours
        looks.second_colour[row, is_changed] = second[group]
        looks.pattern[row, is_changed] = np.where(has_pattern, pattern, PLAIN)[group]
        looks.period[row, is_changed] = period[group]

        gains = (1.0 + 0.5 * ranges.light * strength) * (1.0 + _MOST_TINT * ranges.light * tint)
        looks.ambient[row] = standard.ambient[0] * gains[0]
        looks.headlight[row] = standard.headlight[0] * gains[1]
        looks.sun[row] = standard.sun[0] * gains[2]
        to_sun = standard.to_sun[0] + ranges.light * direction
        to_sun[2] = max(abs(to_sun[2]), _LOWEST_SUN)
        looks.to_sun[row] = to_sun / np.linalg.norm(to_sun)
