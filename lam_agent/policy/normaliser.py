"""The policy's normaliser: frozen buffers that travel with the weights.

It holds fixed numbers of the Sawyer's workspace, not statistics of a task: statistics that change
from task to task are known to destroy what replay keeps.
"""

from __future__ import annotations

import torch
from torch import nn

PIXEL_MEAN = (125.0, 103.0, 89.0)
PIXEL_SCALE = 42.0
WORKSPACE_CENTRE_M = (0.0, 0.7, 0.15)
WORKSPACE_SCALE_M = 0.1


class Normaliser(nn.Module):
    """Maps pixels, proprioception and positions to numbers of order one, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1))
        self.register_buffer("pixel_scale", torch.tensor(PIXEL_SCALE))
        self.register_buffer("centre", torch.tensor((*WORKSPACE_CENTRE_M, 0.5)))
        self.register_buffer("scale", torch.tensor((WORKSPACE_SCALE_M,) * 3 + (0.5,)))

    def pixels(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise RGB, uint8 (B, H, W, 3) -> float (B, 3, H, W) in channels-last memory."""
        pixels = images.permute(0, 3, 1, 2).to(torch.float32, copy=True)
        normal = pixels.sub_(self.get_buffer("pixel_mean")).div_(self.get_buffer("pixel_scale"))
        return normal.contiguous(memory_format=torch.channels_last)

    def proprioception(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise hand xyz (metres) and gripper opening, (B, 4) -> (B, 4)."""
        return (values - self.get_buffer("centre")) / self.get_buffer("scale")

    def positions(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise object and goal xyz (metres), (B, 6) -> (B, 6)."""
        centre, scale = self._positions()
        return (values - centre) / scale

    def to_metres(self, normal: torch.Tensor) -> torch.Tensor:
        """Undo `positions`, (B, 6) -> (B, 6)."""
        centre, scale = self._positions()
        return normal * scale + centre

    def _positions(self) -> tuple[torch.Tensor, torch.Tensor]:
        centre, scale = self.get_buffer("centre")[:3], self.get_buffer("scale")[:3]
        return centre.repeat(2), scale.repeat(2)
