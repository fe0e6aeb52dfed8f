"""Randomiser: draws looks, cameras and physics of the worlds that start an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
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
from lam_envs.tensors import replace_rows, upload

_STREAM = 0x6C6F6F6B
"""Sets the random numbers of the looks apart from those of the start state of the same seed."""


class Randomiser:
    """Draws what differs between episodes beside their start states.

    Args:
        sim: Engine whose model fields vary by world.
        ranges: How far everything varies.
        looks: Written: how the worlds look, attributes of `Appearance` by their names.
    """

    def __init__(
        self, sim: BatchSim, ranges: Randomisation, looks: Mapping[str, torch.Tensor]
    ) -> None:
        model, num_worlds = sim.model, sim.num_worlds
        self.ranges = ranges
        self._looks = looks
        #: How each world's cameras are mounted now; `lowered` follows the table's height.
        self.shifts = CameraShifts.none(num_worlds, model.ncam, sim.device)
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

    def draw(
        self, resets: npt.NDArray[np.bool_], seeds: Sequence[int | np.random.SeedSequence]
    ) -> None:
        """Draw anew for some worlds: on the CPU, then one copy to the device for each tensor.

        Args:
            resets: Worlds that start an episode, shape (num_worlds,).
            seeds: One seed for each of them.
        """
        if not len(seeds):
            return
        looks = self._looks_draw.standard(len(seeds))
        views, physics, paths = [], [], []
        for row, seed in enumerate(seeds):
            generator = np.random.default_rng(_apart(seed))
            self._looks_draw.draw(generator, looks, row)
            views.append(draw_views(generator, self.shifts.position.shape[1], self.ranges))
            if self._physics is not None:
                physics.append(self._physics.draw(generator))
            if self.marker is not None:
                paths.append(self.marker.draw(generator))
        worlds = torch.from_numpy(np.flatnonzero(resets))
        rows = upload(worlds, torch.int64, self._sim.device)
        for name, drawn in looks.tensors().items():
            replace_rows(self._looks[name], rows, drawn)
        position, turn = (torch.from_numpy(np.stack(part)) for part in zip(*views, strict=True))
        replace_rows(self.shifts.position, rows, position)
        replace_rows(self.shifts.turn, rows, turn)
        if self._physics is not None:
            self._physics.put(rows, physics)
            self.shifts.lowered.copy_(self._physics.table_height)
        if self.marker is not None:
            self.marker.put(rows, paths)


def _apart(seed: int | np.random.SeedSequence) -> np.random.SeedSequence:
    """Return a seed whose numbers are independent of those of `seed`."""
    base = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return np.random.SeedSequence(base.entropy, spawn_key=(*base.spawn_key, _STREAM))
