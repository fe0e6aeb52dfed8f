"""Which worlds broke, and why: noted on the device, told when somebody asks."""

from __future__ import annotations

from typing import Any

import torch

from lam_envs.sim import kernels
from lam_envs.sim.masked import EXPONENT, as_bits
from lam_envs.sim.warp_physics import mujoco_warp
from lam_envs.warp_runtime import wp

_OVERFLOWS = mujoco_warp.OverflowType
# A full solver iteration count is no lost contact: MuJoCo's C engine does not complain either.
# A penetration that was not found leaves out a contact of two geoms for one physics step.
_HARMLESS = (
    _OVERFLOWS.ITERATIONS | _OVERFLOWS.LS_ITERATIONS | _OVERFLOWS.TACTILE | _OVERFLOWS.EPA_HORIZON
)


class Notes:
    """Notes which worlds broke.

    Args:
        overflow: mujoco_warp's bits of what was full, shape (num_worlds,), int32.
        numbers: What must be finite, shape (num_worlds, ...) each, float32.
    """

    def __init__(self, overflow: torch.Tensor, *numbers: torch.Tensor) -> None:
        self._overflow = overflow
        self._lost = torch.zeros_like(overflow)
        self._is_not_finite = torch.zeros_like(overflow, dtype=torch.bool)
        # Of worlds that started anew before anybody asked.
        self._past_lost = torch.zeros_like(self._lost)
        self._was_not_finite = torch.zeros_like(self._is_not_finite)
        found: Any = wp.from_torch(overflow, dtype=wp.int32)
        lost: Any = wp.from_torch(self._lost, dtype=wp.int32)
        is_not_finite: Any = wp.from_torch(self._is_not_finite, dtype=wp.bool)
        self._bits = [found, ~int(_HARMLESS), lost]
        self._numbers = [[EXPONENT, as_bits(view), is_not_finite] for view in numbers]

    def note(self) -> None:
        """Note what broke in the last step. It calls Warp alone."""
        wp.launch(kernels.note_bits, dim=len(self._lost), inputs=self._bits)
        for inputs in self._numbers:
            wp.launch(kernels.note_not_finite, dim=inputs[1].shape, inputs=inputs)

    def broken(self) -> torch.Tensor:
        """Return which worlds are broken, shape (num_worlds,), bool."""
        return (self._lost != 0) | self._is_not_finite

    def mend(self, mask: torch.Tensor) -> None:
        """Let the masked worlds start anew; `take` still tells what happened."""
        self._past_lost |= self._lost.masked_fill(~mask, 0)
        self._was_not_finite |= self._is_not_finite & mask
        for noted in (self._overflow, self._lost, self._is_not_finite):
            noted.masked_fill_(mask, 0)

    def take(self) -> dict[int, str | None]:
        """Return the worlds that broke since the last call, and forget them; it waits.

        Returns:
            World -> names of the buffers that were full; None where a number was not finite.
        """
        lost = self._lost | self._past_lost
        worlds = ((lost != 0) | self._is_not_finite | self._was_not_finite).nonzero()[:, 0].tolist()
        if not worlds:
            return {}
        names = {world: _OVERFLOWS(int(lost[world])).name for world in worlds if int(lost[world])}
        for noted in (
            *(self._overflow, self._lost, self._is_not_finite),
            *(self._past_lost, self._was_not_finite),
        ):
            noted.zero_()
        return {world: names.get(world) for world in worlds}
