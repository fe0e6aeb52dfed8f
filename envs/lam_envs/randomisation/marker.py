"""Draw how the goal marker roams about in worlds whose task has no marked goal.

What looks at it must tell where it is, in all of the workspace and close to the fingers, whatever
stands on the table.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lam_envs.tensors import replace_rows

Path = tuple[bool, bool, npt.NDArray[np.float64]]
"""Whether it is shown, whether it is close to the hand, and its way along each axis."""

_AIR = ((-0.35, 0.4, 0.02), (0.35, 0.95, 0.35))
"""Lowest and highest corner of the workspace, metres."""

_TABLE = ((-0.35, 0.4, 0.02), (0.35, 0.95, 0.02))

_HAND = ((-0.12, -0.12, -0.16), (0.12, 0.12, 0.02))
"""Of what is close to the fingers, from the hand."""

_LOWEST_M = 0.02
"""Height of a marker that lies on the table."""

_CYCLES = (0.5, 4.0)
"""Times that it goes back and forth along an axis in `_PERIOD` control steps."""

_PERIOD = 200


class MarkerDraw:
    """Draws where the marker goes in the worlds of one engine.

    Along each axis it goes back and forth at a constant speed, so that it is everywhere as often.

    Args:
        num_worlds: Number of worlds.
        share: Probability that it is shown in an episode.
        device: Where positions are needed.
    """

    def __init__(self, num_worlds: int, share: float, device: torch.device) -> None:
        self._share = share
        #: Whether it is shown, shape (num_worlds,), bool.
        self.is_shown = torch.zeros(num_worlds, dtype=torch.bool, device=device)
        self._is_at_hand = torch.zeros(num_worlds, dtype=torch.bool, device=device)
        # Lowest corner, extent, phase, cycles in a control step; of each axis.
        self._path = torch.zeros(num_worlds, 4, 3, dtype=torch.float64, device=device)

    def draw(self, generator: np.random.Generator) -> Path:
        """Return a new path for one world; always takes as many random numbers."""
        is_shown = generator.random() < self._share
        where = generator.choice(3)
        phase = generator.random(3)
        cycles = generator.uniform(*_CYCLES, 3) / _PERIOD
        low, high = np.array((_AIR, _TABLE, _HAND)[where])
        return bool(is_shown), bool(where == 2), np.stack((low, high - low, phase, cycles))

    def put(self, rows: torch.Tensor, paths: list[Path]) -> None:
        """Give worlds new paths, in one copy to the device for each tensor.

        Args:
            rows: Which worlds, shape (n,), int64.
            paths: Their paths, n of them.
        """
        is_shown, is_at_hand, path = zip(*paths, strict=True)
        replace_rows(self.is_shown, rows, torch.from_numpy(np.array(is_shown)))
        replace_rows(self._is_at_hand, rows, torch.from_numpy(np.array(is_at_hand)))
        replace_rows(self._path, rows, torch.from_numpy(np.stack(path)))

    def positions(self, steps: torch.Tensor, hands: torch.Tensor) -> torch.Tensor:
        """Return where it is, shape (num_worlds, 3), metres.

        Args:
            steps: Control steps since the episode began, shape (num_worlds,).
            hands: Positions of the hands, shape (num_worlds, 3).
        """
        low, extent, phase, cycles = self._path.unbind(1)
        turn = (phase + cycles * steps[:, None]) % 1.0
        places = low + extent * (2.0 * turn - 1.0).abs()
        places = places + torch.where(self._is_at_hand[:, None], hands, 0.0)
        height = places[:, 2:].clamp_min(_LOWEST_M)
        return torch.cat((places[:, :2], height), 1)
