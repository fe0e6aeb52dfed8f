"""What every backbone is to the policy: pictures in, one feature vector for each cell out.

Source of the choice of layer: Parisi et al. 2022, "The Unsurprising Effectiveness of Pre-Trained
Vision Models for Control", Section 5: what control needs is in the layers before the last ones of a
convolutional network, which have thrown away where things are. Cells of at most 16 pixels are
therefore used, and pictures are enlarged until there are 8 x 8 cells.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn

MAX_STRIDE = 16
"""Largest side of a cell, pixels of the picture that the backbone sees; none smaller: the least."""

_MIN_CELLS = 8

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class PictureFormat(NamedTuple):
    """What pictures a backbone wants.

    Attributes:
        side: Height and width, pixels.
        mean: Mean of red, green and blue, where white is 1.
        std: Their standard deviations.
    """

    side: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class Trunk(nn.Module):
    """A backbone without its classifier.

    Args:
        network: Turns pictures (B, 3, S, S) into maps (B, C, H, W).
        pictures: What pictures it wants.
    """

    def __init__(self, network: nn.Module, pictures: PictureFormat) -> None:
        super().__init__()
        self.network = network
        self.pictures = pictures

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the maps (B, C, H, W) of pictures (B, 3, S, S)."""
        maps: torch.Tensor = self.network(pictures)
        return maps


def picture_side(image_size: int, stride: int, multiple: int) -> int:
    """Return the side of the pictures that a backbone sees, pixels.

    Args:
        image_size: Side of the cameras' pictures, pixels.
        stride: Side of a cell of its maps, pixels.
        multiple: What the side must be a multiple of.
    """
    return multiple * math.ceil(max(image_size, _MIN_CELLS * stride) / multiple)
