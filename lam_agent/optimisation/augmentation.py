"""Alter training pictures: other colours and other camera poses, each picture by itself.

torchvision's transforms draw once for a whole batch; here each picture has draws of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch.nn.functional import affine_grid, grid_sample

from lam_agent.config import AugmentConfig

_MOST_GAIN, _MOST_OFFSET = 0.3, 0.1
"""Of one channel, whose values go from 0 to 1."""

_SATURATIONS = (0.3, 1.3)

_HUE_SHARE = 0.7
"""Share of the pictures whose hue turns; the others keep it."""

_MARKER_RATIO = 4.0
"""Green over the larger of red and blue, above which a pixel shows the goal marker or its foot."""

_OTHER_RATIO = 2.0
"""What becomes greener than this, and is no marker, becomes blue."""

_CHUNK_BYTES = 1_000_000
"""Bytes of pictures that are altered at a time: each takes some fifty of memory meanwhile."""


def random_shift(
    images: Mapping[str, torch.Tensor], pixels: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Shift each picture by up to `pixels` in both directions, its border repeated.

    Source: Yarats et al. 2021, "Mastering Visual Continuous Control" (DrQ-v2), Section 3.1.

    Args:
        images: Camera -> uint8 (B, H, W, 3).
        pixels: Largest shift; 0 for none.
        generator: Source of the shifts, on the CPU.
    """
    if pixels == 0:
        return dict(images)
    shifted = {}
    for camera, pictures in images.items():
        batch, height, width = pictures.shape[:3]
        offsets = torch.randint(-pixels, pixels + 1, (2, batch), generator=generator)
        offsets = offsets.to(pictures.device)
        rows = (offsets[0][:, None] + torch.arange(height, device=pictures.device)).clamp(
            0, height - 1
        )
        columns = (offsets[1][:, None] + torch.arange(width, device=pictures.device)).clamp(
            0, width - 1
        )
        world = torch.arange(batch, device=pictures.device)[:, None, None]
        shifted[camera] = pictures[world, rows[:, :, None], columns[:, None, :]]
    return shifted


def augmented(
    images: Mapping[str, torch.Tensor],
    config: AugmentConfig,
    generator: torch.Generator,
    share: float = 1.0,
) -> dict[str, torch.Tensor]:
    """Return altered pictures: each has colours and a pose of its own.

    The green of the goal marker stays as it is and nothing else becomes nearly as green, because
    the marker tells where the goal is. What a turn or shift brings in repeats the border.

    Args:
        images: Camera -> uint8 (B, H, W, 3).
        config: How far.
        generator: Source of the draws, on the CPU.
        share: Share of the frames that are altered; the others are returned as they are.
    """
    altered = {}
    batch = len(next(iter(images.values())))
    chosen = (torch.rand(batch, generator=generator) < share).nonzero()[:, 0]
    for camera, pictures in images.items():
        changed, frames = pictures.clone(), chosen.to(pictures.device)
        chunk = max(1, _CHUNK_BYTES // pictures[0].numel())
        for first in range(0, len(frames), chunk):
            part = frames[first : first + chunk]
            changed[part] = _altered(pictures[part], config, generator)
        altered[camera] = changed
    return altered


def _altered(
    pictures: torch.Tensor, config: AugmentConfig, generator: torch.Generator
) -> torch.Tensor:
    """Return pictures, uint8 (B, H, W, 3), with other colours and poses."""
    channels = pictures.permute(0, 3, 1, 2).float() / 255
    if config.colours:
        channels = _recoloured(channels, config.colours, generator)
    if config.shift or config.turn_deg or config.zoom:
        channels = _moved(channels, config, generator)
    return (channels * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def _recoloured(
    pictures: torch.Tensor, strength: float, generator: torch.Generator
) -> torch.Tensor:
    """Turn the hue of pictures (B, 3, H, W) in [0, 1], change saturation, gains and offsets."""
    batch, device = len(pictures), pictures.device
    angle = strength * math.pi * _uniform((batch,), -1.0, 1.0, generator)
    angle *= torch.rand(batch, generator=generator) < _HUE_SHARE
    low, high = _SATURATIONS
    saturation = 1.0 + strength * (_uniform((batch, 1, 1, 1), low, high, generator) - 1.0)
    shape = (batch, 3, 1, 1)
    gain = 1.0 + strength * _uniform(shape, -_MOST_GAIN, _MOST_GAIN, generator)
    offset = strength * _uniform(shape, -_MOST_OFFSET, _MOST_OFFSET, generator)
    turned = torch.einsum("bij,bjhw->bihw", _hue_turns(angle).to(device), pictures)
    grey = turned.mean(1, keepdim=True)
    changed = grey + (turned - grey) * saturation.to(device)
    changed = (changed * gain.to(device) + offset.to(device)).clamp(0.0, 1.0)
    green, is_green = _greenness(pictures), _greenness(changed)
    is_greener = (is_green > _OTHER_RATIO) & (is_green > green)
    changed = torch.where(is_greener, changed[:, [0, 2, 1]], changed)
    return torch.where(green > _MARKER_RATIO, pictures, changed)


def _hue_turns(angle: torch.Tensor) -> torch.Tensor:
    """Return rotations of colours about the grey axis, (B,) radians -> (B, 3, 3)."""
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    third = torch.full((3, 3), 1 / 3)
    across = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    # Rodrigues' formula about (1, 1, 1) / sqrt(3).
    return cosine * torch.eye(3) + sine * across + (1 - cosine) * third


def _greenness(pictures: torch.Tensor) -> torch.Tensor:
    """Return green over the larger of red and blue, (B, 3, H, W) -> (B, 1, H, W)."""
    others = torch.maximum(pictures[:, 0:1], pictures[:, 2:3])
    return pictures[:, 1:2] / others.clamp(min=1 / 255)


def _moved(
    pictures: torch.Tensor, config: AugmentConfig, generator: torch.Generator
) -> torch.Tensor:
    """Shift, turn and scale pictures (B, 3, H, W), each by itself."""
    batch = len(pictures)
    most = math.radians(config.turn_deg)
    angle = _uniform((batch,), -most, most, generator)
    scale = _uniform((batch,), 1.0 - config.zoom, 1.0 + config.zoom, generator)
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    # The grid goes from -1 to 1, so that a shift of the whole picture is 2.
    shift = 2.0 * _uniform((batch, 2), -config.shift, config.shift, generator)
    rows = [torch.stack((cosine, -sine), 1), torch.stack((sine, cosine), 1)]
    matrix = torch.cat((torch.stack(rows, 1), shift[:, :, None]), 2).to(pictures.device)
    grid = affine_grid(matrix, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _uniform(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)
