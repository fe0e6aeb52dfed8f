"""The encoders of all cameras, as a configuration names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from lam_agent.config import PolicyConfig
from lam_agent.errors import ConfigError
from lam_agent.policy.backbone.encoders import BackboneEncoders
from lam_agent.policy.backbone.timm_trunk import make_timm
from lam_agent.policy.backbone.torchvision_trunk import make_torchvision, make_vit_small
from lam_agent.policy.backbone.trunk import Trunk
from lam_agent.policy.encoder import CameraEncoder
from lam_agent.policy.normaliser import Normaliser


class PointEncoders(nn.ModuleDict):
    """An encoder of its own for each camera.

    Args:
        encoders: Camera -> encoder.
    """

    def __init__(self, encoders: Mapping[str, CameraEncoder]) -> None:
        super().__init__(dict(encoders))
        #: Number of features of a picture.
        self.size = next(iter(encoders.values())).size

    def forward(self, images: Mapping[str, torch.Tensor], normaliser: Normaliser) -> torch.Tensor:
        """Encode RGB pictures, uint8 (B, H, W, 3) of each camera, into features (B, F)."""
        seen = [encoder(normaliser.pixels(images[camera])) for camera, encoder in self.items()]
        return torch.cat(seen, 1)


def make_encoders(config: PolicyConfig, cameras: Sequence[str]) -> PointEncoders | BackboneEncoders:
    """Return encoders with random weights; nothing is downloaded.

    Args:
        config: The policy's configuration.
        cameras: Names of the cameras.

    Raises:
        ConfigError: There is no such backbone, or it gives no maps.
        MissingExtraError: The library of the backbone is not installed.
    """
    if config.encoder == "points":
        names = ("image_size", "channels", "keypoints", "encoder_depth", "overview")
        sizes = [getattr(config, name) for name in names]
        return PointEncoders({camera: CameraEncoder(*sizes) for camera in cameras})
    trunk = make_trunk(config)
    try:
        return BackboneEncoders(trunk, cameras, config.channels, config.keypoints)
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        side = trunk.pictures.side
        raise ConfigError(
            f"policy.encoder is {config.encoder!r}, which gives no maps of pictures of {side} x "
            f"{side} pixels; choose another network."
        ) from error


def make_trunk(config: PolicyConfig) -> Trunk:
    """Return the backbone that a configuration names, with random weights."""
    if config.encoder == "vit-small":
        return make_vit_small(config.image_size)
    make = make_timm if config.encoder.startswith("timm:") else make_torchvision
    is_random = config.encoder_weights == "none"
    return make(config.encoder, config.image_size, is_random=is_random)
