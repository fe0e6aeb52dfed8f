"""The first stage: what encoders learn from pictures without labels.

masked     restore patches that were hidden, from their neighbours
inverse    from two looks, tell how hand and fingers moved between them
contrast   tell the next look of the same world from the next looks of other worlds
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from lam_agent.policy.encoder import PATCH_PIXELS, CameraEncoder
from lam_agent.policy.encoders import PointEncoders
from lam_agent.policy.policy import PROPRIOCEPTION_SIZE, VisualActionPolicy
from lam_agent.pretrain.config import SelfSupervisedConfig
from lam_agent.pretrain.corpus import LookPairs
from lam_envs.scene import CAMERAS

_MOVED_SCALE = 20.0
"""Factor on proprioception's changes: some centimetres between two looks become order one."""

_TEMPERATURE = 0.1
_PROJECTED = 64


class SelfSupervision(nn.Module):
    """Losses on the encoders of a policy, with heads that are thrown away afterwards.

    Sources: masked patches after He et al. 2022 ("Masked Autoencoders Are Scalable Vision
    Learners"; here the encoder sees a token in place of a hidden patch, as in Xie et al. 2022,
    "SimMIM"); inverse dynamics after Pathak et al. 2017 ("Curiosity-driven Exploration", Section
    2.2); contrast in time after van den Oord et al. 2018 (CPC, equation 4) and Nair et al. 2022
    ("R3M", Section 3.2).

    Args:
        policy: The policy; its encoders are trained in place.
        config: Weights of the losses; `masked` is 0 where the encoders are a backbone.
    """

    def __init__(self, policy: VisualActionPolicy, config: SelfSupervisedConfig) -> None:
        super().__init__()
        self.policy = policy
        self.config = config
        channels, size = policy.config.channels, len(CAMERAS) * policy.encoders.size
        cameras = self._encoders()
        self.hidden = nn.ParameterDict(
            {camera: nn.Parameter(torch.zeros(channels, 1, 1)) for camera in cameras}
        )
        self.restore = nn.ModuleDict(
            {camera: nn.Conv2d(channels, 3 * PATCH_PIXELS**2, 1) for camera in cameras}
        )
        self.motion = nn.Sequential(
            nn.Linear(2 * size, 256), nn.ReLU(), nn.Linear(256, PROPRIOCEPTION_SIZE)
        )
        self.project = nn.Linear(size, _PROJECTED)

    def forward(self, pairs: LookPairs, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return each loss, weighted.

        Args:
            pairs: Successive looks.
            generator: Source of the masks, on the CPU.
        """
        config = self.config
        losses = {}
        if config.masked:
            losses["masked"] = config.masked * self._masked(pairs.first, generator)
        if config.inverse or config.contrast:
            first, second = self.policy.encode(pairs.first), self.policy.encode(pairs.second)
        if config.inverse:
            found = self.motion(torch.cat((first, second), 1))
            moved = _MOVED_SCALE * pairs.moved
            losses["inverse"] = config.inverse * functional.smooth_l1_loss(found, moved)
        if config.contrast:
            losses["contrast"] = config.contrast * self._contrast(first, second)
        return losses

    def _masked(
        self, images: Mapping[str, torch.Tensor], generator: torch.Generator
    ) -> torch.Tensor:
        """Return the squared error of hidden patches, in units of the normaliser."""
        total = torch.zeros((), device=self.policy.device)
        for camera, encoder in self._encoders().items():
            pixels = self.policy.normaliser.pixels(images[camera])
            maps = encoder.stem(pixels)
            shape = (len(maps), 1, *maps.shape[2:])
            is_hidden = torch.rand(shape, generator=generator) < self.config.mask_share
            is_hidden = is_hidden.to(maps.device)
            maps = encoder.mix(torch.where(is_hidden, self.hidden[camera], maps))
            error = self.restore[camera](maps) - functional.pixel_unshuffle(pixels, PATCH_PIXELS)
            total = total + (error.square() * is_hidden).sum() / (is_hidden.sum() * error.shape[1])
        return total / len(CAMERAS)

    def _contrast(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of finding each look's successor in the batch."""
        here, there = (functional.normalize(self.project(x), dim=1) for x in (first, second))
        similarity = here @ there.T / _TEMPERATURE
        return functional.cross_entropy(
            similarity, torch.arange(len(similarity), device=similarity.device)
        )

    def _encoders(self) -> dict[str, CameraEncoder]:
        """Return the encoders whose patches can be masked: a backbone has none."""
        if not isinstance(self.policy.encoders, PointEncoders):
            return {}
        found = {}
        for camera in CAMERAS:
            encoder = self.policy.encoders[camera]
            assert isinstance(encoder, CameraEncoder)
            found[camera] = encoder
        return found
