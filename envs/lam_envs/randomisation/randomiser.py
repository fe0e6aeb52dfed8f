"""Randomiser: draws looks, cameras and physics of the worlds that start an episode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lam_envs.camera import CameraShifts
from lam_envs.looks import drawn_ids, standard_appearance
from lam_envs.randomisation.looks import LooksDraw
from lam_envs.randomisation.marker import MarkerDraw
from lam_envs.randomisation.physics import PhysicsDraw
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.randomisation.views import draw_views
from lam_envs.scene import GOAL_FOOT, GOAL_MARKER
from lam_envs.sim.protocol import BatchSim

_STREAM = 0x6C6F6F6B
"""Sets the random numbers of the looks apart from those of the start state of the same seed."""


class Randomiser:
    """Draws what differs between episodes beside their start states.

    Args:
        sim: Engine whose model fields vary by world.
        ranges: How far everything varies.
    """

    def __init__(self, sim: BatchSim, ranges: Randomisation) -> None:
        model, num_worlds = sim.model, sim.num_worlds
        self.ranges = ranges
        #: How each world looks now.
        self.looks = standard_appearance(model, num_worlds)
        #: How each world's cameras are mounted now; `lowered` follows the table's height.
        self.shifts = CameraShifts.none(num_worlds, model.ncam)
        kept = [model.geom(name).id for name in (GOAL_MARKER, GOAL_FOOT)]
        is_kept = np.isin(drawn_ids(model), kept)
        self._looks_draw = LooksDraw(standard_appearance(model, 1), is_kept, ranges)
        self._sim = sim
        self._physics = PhysicsDraw(sim, ranges) if ranges.changes_physics else None
        #: Where the marker roams in worlds whose task has no marked goal; None: it never does.
        self.marker = (
            MarkerDraw(num_worlds, ranges.roaming_marker, sim.device)
            if ranges.roaming_marker
            else None
        )

    @property
    def table_height(self) -> torch.Tensor | float:
        """Height of the table over its usual place, metres, shape (num_worlds,), or 0."""
        return self._physics.table_height if self._physics else 0.0

    def draw(self, mask: torch.Tensor, seeds: Sequence[int | np.random.SeedSequence]) -> None:
        """Draw anew for the masked worlds.

        Args:
            mask: Worlds that start an episode, shape (num_worlds,), bool.
            seeds: One seed for each of them.
        """
        for world, seed in zip(mask.nonzero()[:, 0].tolist(), seeds, strict=True):
            generator = np.random.default_rng(_apart(seed))
            self._looks_draw.draw(generator, self.looks, world)
            draw_views(generator, self.shifts, world, self.ranges)
            if self._physics is not None:
                self._physics.draw(generator, world)
                self.shifts.lowered[world] = float(self._physics.table_height[world])
            if self.marker is not None:
                self.marker.draw(generator, world)
        if self._physics is not None:
            self._sim.refresh_constants(mask)


def _apart(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    """Return a seed whose numbers are independent of those of `seed`."""
    base = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return np.random.SeedSequence(base.entropy, spawn_key=(*base.spawn_key, _STREAM))
