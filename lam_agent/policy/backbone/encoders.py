"""Camera encoders that share a backbone: maps, then where in the picture each feature stands out.

pictures -> ImageNet's normalisation, enlarged -> backbone -> maps (B, C, H, W)
maps -> a 1x1 projection a camera -> standardised maps -> points with spread, and means of the maps

Averages over a whole picture would lose where things are, so points are looked for as the project's
own encoder does (Levine et al. 2016, "End-to-End Training of Deep Visuomotor Policies", Section
5.1). All cameras share the backbone, which halves its memory; each has a projection of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from lam_agent.policy.backbone.trunk import Trunk
from lam_agent.policy.encoder import Scores, SpatialSoftmax
from lam_agent.policy.normaliser import Normaliser


class Projection(nn.Module):
    """Turns a backbone's maps into a camera's features.

    Args:
        inputs: Channels C of the backbone's maps.
        cells: Height and width H of the maps.
        channels: Channels after the projection, whose means are features.
        keypoints: Number of feature points.
    """

    def __init__(self, inputs: int, cells: int, channels: int, keypoints: int) -> None:
        super().__init__()
        # Backbones differ by orders of magnitude in the scale of their maps.
        self.project = nn.Sequential(nn.GroupNorm(1, inputs), nn.Conv2d(inputs, channels, 1))
        self.scores = Scores(channels, keypoints)
        self.points = SpatialSoftmax(cells)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the features (B, F) of maps (B, C, H, H)."""
        projected = self.project(maps)
        return torch.cat((self.points(self.scores(projected)), projected.mean((2, 3))), 1)


class BackboneEncoders(nn.Module):
    """The encoders of all cameras on one backbone.

    The backbone always computes as in evaluation, though its weights may be trained: statistics of
    batch norms stay as they were pretrained, and nothing is dropped at random.

    Args:
        trunk: The backbone.
        cameras: Names of the cameras.
        channels: Channels after the projection.
        keypoints: Number of feature points of each camera.
    """

    def __init__(self, trunk: Trunk, cameras: Sequence[str], channels: int, keypoints: int) -> None:
        super().__init__()
        self.trunk = trunk.eval()
        pictures = trunk.pictures
        self.register_buffer("mean", 255.0 * torch.tensor(pictures.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255.0 * torch.tensor(pictures.std).view(1, 3, 1, 1))
        with torch.no_grad():
            maps = trunk(torch.zeros(1, 3, pictures.side, pictures.side))
        sizes = (maps.shape[1], maps.shape[2], channels, keypoints)
        self.projections = nn.ModuleDict({camera: Projection(*sizes) for camera in cameras})
        with torch.no_grad():
            #: Number of features of a picture.
            self.size = self.projections[cameras[0]](maps).shape[1]

    def train(self, mode: bool = True) -> BackboneEncoders:
        """Set the mode of the projections; the backbone stays in evaluation mode."""
        super().train(mode)
        self.trunk.eval()
        return self

    def forward(self, images: Mapping[str, torch.Tensor], normaliser: Normaliser) -> torch.Tensor:
        """Encode RGB pictures, uint8 (B, H, W, 3) of each camera, into features (B, F).

        Args:
            images: Camera -> pictures.
            normaliser: The policy's, which is not used: backbones have a normalisation of theirs.
        """
        seen = [
            projection(self.trunk(self._prepare(images[camera])))
            for camera, projection in self.projections.items()
        ]
        return torch.cat(seen, 1)

    def _prepare(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise and enlarge pictures, uint8 (B, H, W, 3) -> float (B, 3, S, S)."""
        pixels = images.permute(0, 3, 1, 2).float()
        normal = (pixels - self.get_buffer("mean")) / self.get_buffer("std")
        side = self.trunk.pictures.side
        if normal.shape[2] != side:
            normal = functional.interpolate(normal, (side, side), mode="bilinear")
        return normal.contiguous(memory_format=torch.channels_last)
