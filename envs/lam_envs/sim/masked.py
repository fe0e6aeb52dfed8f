"""What happens to some of the worlds only: keep and put back, write states, clean.

It works on bits, whatever they stand for. Each method is a part of captured graphs.
"""

from __future__ import annotations

from typing import Any

import torch

from lam_envs.sim import kernels
from lam_envs.warp_runtime import wp

EXPONENT = 0x7F800000
"""Bits that are all set in NaN and infinity, and in no other float."""


def as_bits(view: torch.Tensor) -> Any:
    """Return Warp's array of the 32-bit words of a tensor, shape (num_worlds, words)."""
    words = view.view(len(view), -1).view(torch.int32)
    return wp.from_torch(words, dtype=wp.int32)


class MaskedRows:
    """What happens to some worlds only, in memory that is set aside once.

    Args:
        changing: All that a step changes, shape (num_worlds, ...) each.
        integration: Parts of a full state, in its order.
        scratch: What may hold NaN of a world that broke, beside its state.
    """

    def __init__(
        self,
        changing: list[torch.Tensor],
        integration: list[torch.Tensor],
        scratch: list[torch.Tensor],
    ) -> None:
        num_worlds, device = len(changing[0]), changing[0].device
        #: The masked worlds, shape (num_worlds,), bool: set it before each of the methods.
        self.mask = torch.zeros(num_worlds, dtype=torch.bool, device=device)
        widths = [view[0].numel() for view in integration]
        #: States that `write` writes, shape (num_worlds, nstate).
        self.rows = torch.zeros(num_worlds, sum(widths), device=device)
        self._mask = wp.from_torch(self.mask, dtype=wp.bool)
        self._rows = as_bits(self.rows)
        self._changing = [as_bits(view) for view in changing]
        self._kept = [wp.empty_like(array) for array in self._changing]
        starts = [sum(widths[:index]) for index in range(len(widths))]
        self._integration = list(zip(starts, map(as_bits, integration), strict=True))
        self._scratch = [as_bits(view) for view in scratch]

    def keep(self) -> None:
        """Copy all that a step changes."""
        for source, kept in zip(self._changing, self._kept, strict=True):
            wp.launch(kernels.copy, dim=source.shape, inputs=[source, kept])

    def put_back(self) -> None:
        """Put back what was kept of the worlds that are not masked."""
        for target, kept in zip(self._changing, self._kept, strict=True):
            wp.launch(kernels.put_back, dim=target.shape, inputs=[self._mask, kept, target])

    def write(self) -> None:
        """Write `rows` into the masked worlds."""
        for start, target in self._integration:
            inputs = [self._mask, self._rows, start, target]
            wp.launch(kernels.write, dim=target.shape, inputs=inputs)

    def clean(self) -> None:
        """Write 0 over NaN and infinity in the scratch of the masked worlds."""
        for target in self._scratch:
            wp.launch(kernels.clean, dim=target.shape, inputs=[self._mask, EXPONENT, target])
