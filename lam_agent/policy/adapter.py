"""A bottleneck adapter: a small network beside a frozen one."""

from __future__ import annotations

import torch
from torch import nn


class Adapter(nn.Module):
    """Adds what a bottleneck makes of its input; nothing at first.

    Source: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", Section 2.1.

    Args:
        width: Size of input and output.
        size: Size of the bottleneck.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, size)
        self.up = nn.Linear(size, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Adapt values (…, `width`)."""
        adapted: torch.Tensor = values + self.up(nn.functional.gelu(self.down(values)))
        return adapted
