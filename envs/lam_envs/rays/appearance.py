"""How the worlds look to the cameras: colours, patterns and light, a row for each world."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch

Floats = npt.NDArray[np.float32]

PLAIN, CHECKER, STRIPES, PATCHES = range(4)
"""Patterns of a surface: one colour; or cubes, layers, or cubes of random share, of two."""


@dataclass(frozen=True)
class Appearance:
    """Looks of N worlds in which D geoms are drawn. Colours and light are RGB, 1 is full.

    Attributes:
        colour: Colour of each geom, shape (N, D, 3).
        second_colour: Colour that a pattern mixes with it, shape (N, D, 3).
        pattern: `PLAIN`, `CHECKER`, `STRIPES` or `PATCHES`, shape (N, D), int32.
        period: Size of the pattern's parts, metres, shape (N, D).
        ambient: Light from everywhere, shape (N, 3).
        headlight: Light from the camera along its axis, shape (N, 3).
        sun: Light from `to_sun`, shape (N, 3). Nothing casts a shadow.
        to_sun: Unit vector to this light in the world frame, shape (N, 3).
    """

    colour: Floats
    second_colour: Floats
    pattern: npt.NDArray[np.int32]
    period: Floats
    ambient: Floats
    headlight: Floats
    sun: Floats
    to_sun: Floats

    def repeated(self, num_worlds: int) -> Appearance:
        """Return as many worlds that look as the first does."""
        first = (getattr(self, field.name)[:1] for field in fields(self))
        return Appearance(*(np.repeat(rows, num_worlds, axis=0) for rows in first))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the attributes by their names, as tensors of the same memory."""
        return {field.name: torch.from_numpy(getattr(self, field.name)) for field in fields(self)}


def plain(num_worlds: int, colour: Floats, light: tuple[Floats, Floats, Floats]) -> Appearance:
    """Return worlds that look alike, without patterns.

    Args:
        num_worlds: Number of worlds.
        colour: Colours of the geoms, shape (D, 3).
        light: Strength of the ambient light, the headlight and the sun; shape (3,) each.
    """
    num_geoms = len(colour)
    up = np.array((0.0, 0.0, 1.0), np.float32)
    colours = np.tile(colour.astype(np.float32), (num_worlds, 1, 1))
    return Appearance(
        colours,
        colours.copy(),
        np.full((num_worlds, num_geoms), PLAIN, np.int32),
        np.ones((num_worlds, num_geoms), np.float32),
        *(np.tile(row.astype(np.float32), (num_worlds, 1)) for row in (*light, up)),
    )
