"""One camera's encoder: patches, features, then where in the picture each feature stands out.

pixels -> patches -> blocks that mix neighbours -> feature maps -> points, and an overview

Each feature map is standardised over the picture before its spatial softmax. A feature that fires
in few places then has a large score there, however small the thing is that it fires on, so that
points lock on to small objects within some hundred gradient steps.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

PATCH_PIXELS = 4
"""Side of a patch, pixels: what one feature vector sees."""

_MIN_VARIANCE = 1e-6


class Scores(nn.Sequential):
    """How much each place looks like each feature: maps (B, C, H, W) -> scores (B, K, H, W).

    It is a convolution of 1 x 1, computed as a product of matrices: from maps in channels-last
    memory it gives the scores of a feature side by side, as the softmax needs them, without a copy.

    Args:
        channels: Channels C of the maps.
        keypoints: Number of features K.
    """

    def __init__(self, channels: int, keypoints: int) -> None:
        super().__init__(nn.ReLU(), nn.Conv2d(channels, keypoints, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Score each place of the maps."""
        convolution = self[1]
        assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
        places = self[0](maps).flatten(2)  # (B, C, H * W)
        weight = convolution.weight.flatten(1).expand(maps.shape[0], -1, -1)  # (B, K, C)
        scores = torch.baddbmm(convolution.bias[:, None], weight, places)
        return scores.view(maps.shape[0], -1, *maps.shape[2:])


class SpatialSoftmax(nn.Module):
    """Where each feature map fires in the picture, and how widely.

    Each map is standardised over the picture before the softmax. The spread tells the size of what
    is seen, hence its distance from the camera.

    Source: Levine et al. 2016, "End-to-End Training of Deep Visuomotor Policies", Section 5.1; the
    spread is this project's.

    Args:
        size: Height and width of the maps.
        sharpness: Initial factor on the standardised maps before the softmax.
    """

    def __init__(self, size: int, sharpness: float = 1.0) -> None:
        super().__init__()
        line = torch.linspace(-1.0, 1.0, size)
        grid_y, grid_x = torch.meshgrid(line, line, indexing="ij")
        x, y = grid_x.flatten(), grid_y.flatten()
        grid = torch.stack((x, y, x.square() + y.square()))  # (3, H * W)
        self.register_buffer("grid", grid, persistent=False)
        self.sharpness = nn.Parameter(torch.tensor(sharpness))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return x, y in [-1, 1] and spread of each map: (B, K, H, W) -> (B, 3 * K)."""
        flat = maps.flatten(2).float()  # (B, K, H * W)
        # An instance norm, times the sharpness: torch's layer norm is quicker on CPU cores.
        size = flat.shape[2]
        weights = functional.layer_norm(flat, (size,), self.sharpness.expand(size)).softmax(2)
        moments = functional.linear(weights, self.get_buffer("grid"))  # (B, K, 3)
        mean = moments[..., :2]
        variance = moments[..., 2] - mean.square().sum(2)  # (B, K)
        spread = variance.clamp_min(_MIN_VARIANCE).sqrt()
        return torch.cat((mean.flatten(1), spread), 1)


class MixingBlock(nn.Module):
    """Mixes each patch with its neighbours, then its channels; adds the result, small at first.

    Source: Liu et al. 2022, "A ConvNet for the 2020s", Section 2, with a smaller kernel, and one
    group norm in place of the layer norm.

    Args:
        channels: Channels C of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels),
            nn.GroupNorm(1, channels),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.ReLU(),
            nn.Conv2d(2 * channels, channels, 1),
        )
        self.gain = nn.Parameter(torch.full((channels, 1, 1), 0.1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Mix maps (B, C, H, W)."""
        mixed: torch.Tensor = maps + self.gain * self.mix(maps)
        return mixed


class CameraEncoder(nn.Module):
    """Turns one camera's pictures into features.

    Args:
        image_size: Height and width, pixels, a multiple of 4.
        channels: Channels of the patch features.
        keypoints: Number of feature points K.
        depth: Mixing blocks. Without any, a feature sees one patch and learns within some hundred
            gradient steps; with some it tells things apart by their shape.
        overview: Features of the whole picture at half the resolution, which say what is seen and
            roughly where, of things too that no point has learned to find; 0 for none.
    """

    def __init__(
        self, image_size: int, channels: int, keypoints: int, depth: int = 0, overview: int = 0
    ) -> None:
        super().__init__()
        #: Number of features of a picture.
        self.size = 3 * keypoints + overview
        self.stem = nn.Conv2d(3, channels, PATCH_PIXELS, stride=PATCH_PIXELS)
        self.blocks = nn.ModuleList([MixingBlock(channels) for _ in range(depth)])
        self.scores = Scores(channels, keypoints)
        side = image_size // PATCH_PIXELS
        self.points = SpatialSoftmax(side)
        self.overview = _overview(channels, side, overview) if overview else None

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode normalised pictures (B, 3, H, W) into features (B, `size`)."""
        return self.look(self.mix(self.stem(pixels)))

    def mix(self, maps: torch.Tensor) -> torch.Tensor:
        """Let the patches of maps (B, C, H / 4, W / 4) know of their neighbours."""
        for block in self.blocks:
            maps = block(maps)
        return maps

    def look(self, maps: torch.Tensor) -> torch.Tensor:
        """Return where the features of maps (B, C, H / 4, W / 4) stand out, and the overview."""
        points: torch.Tensor = self.points(self.scores(maps))
        return points if self.overview is None else torch.cat((points, self.overview(maps)), 1)


def _overview(channels: int, side: int, size: int) -> nn.Module:
    """Return what turns maps (B, `channels`, `side`, `side`) into an overview (B, `size`)."""
    half = (side + 1) // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(channels * half * half, size),
    )
