"""The policy's sizes, the weights that it starts from, and what encodes its pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lam_agent.config.checks import require, require_at_least, require_at_most
from lam_agent.errors import ConfigError
from lam_envs.words import nearest

ENCODERS = ("points", "vit-small")

BACKBONE_LIBRARIES = ("timm", "torchvision")
"""Libraries of image backbones, `policy.encoder` LIBRARY:NAME."""

_MAX_LAYERS, _MAX_SIZE = 128, 16_384
"""Largest numbers of layers, and of everything else: far beyond what a machine holds."""

_PICKLED = (".pth", ".pt", ".bin", ".ckpt", ".pkl")


@dataclass(frozen=True)
class PolicyConfig:
    """The visual-action policy."""

    init: str = "lam-tiny"
    """Weights to start from: lam-tiny, which ships with the package, the folder of a checkpoint, or
    none for random ones."""

    init_part: Literal["all", "encoders"] = "all"
    """What is taken of the checkpoint: all, or its camera encoders, and the rest is random."""

    image_size: int = 64
    """Height and width of the camera images, pixels."""

    chunk_length: int = 8
    """Actions that the policy predicts at a look."""

    execute_length: int = 4
    """Actions that are executed before the policy looks again."""

    width: int = 128
    """Width of the trunk's tokens."""

    depth: int = 2
    """Layers of the trunk."""

    heads: int = 4
    """Attention heads of the trunk."""

    adapter_size: int = 0
    """Bottleneck of the adapters behind the trunk's layers; 0: none. `--adapt adapter` sets it."""

    packed: Literal["none", "full", "trunk", "head", "adapter"] = "none"
    """What of the policy tasks can own, so that each has weights of its own; `--strategy packnet`
    sets it."""

    channels: int = 32
    """Channels of the camera encoders' patch features."""

    keypoints: int = 64
    """Feature points that each camera's encoder finds."""

    encoder_depth: int = 0
    """Blocks of each camera encoder that mix neighbouring patches; pretrained ones have some."""

    overview: int = 0
    """Features of each whole picture, beside its feature points; pretrained encoders have some."""

    encoder: str = "points"
    """Camera encoders: points, vit-small, timm:NAME or torchvision:NAME; docs/backbones.md."""

    encoder_weights: str = "none"
    """Weights that a backbone begins with: none (random), default (downloaded by its library) or a
    safetensors file."""

    def __post_init__(self) -> None:
        self._check_encoder()
        require(
            self.init != "none" or self.init_part == "all",
            "policy.init-part",
            self.init_part,
            "all without --policy.init; name a checkpoint, or leave it away",
        )
        sizes = (
            "chunk_length",
            "execute_length",
            "width",
            "depth",
            "heads",
            "channels",
            "keypoints",
        )
        require_at_least(1, self, "policy.", *sizes)
        require_at_least(0, self, "policy.", "encoder_depth", "overview", "adapter_size")
        layers = ("depth", "encoder_depth")
        require_at_most(_MAX_LAYERS, self, "policy.", *layers)
        require_at_most(_MAX_SIZE, self, "policy.", *(name for name in sizes if name not in layers))
        require_at_most(_MAX_SIZE, self, "policy.", "overview", "adapter_size")
        require(
            32 <= self.image_size <= 1024 and self.image_size % 4 == 0,
            "policy.image-size",
            self.image_size,
            "a multiple of 4 from 32 to 1024",
        )
        require(
            self.execute_length <= self.chunk_length,
            "policy.execute-length",
            self.execute_length,
            f"at most policy.chunk-length ({self.chunk_length})",
        )
        require(
            self.width % self.heads == 0,
            "policy.width",
            self.width,
            f"a multiple of policy.heads ({self.heads})",
        )

    def kept(self) -> PolicyConfig:
        """Return what a checkpoint keeps: weights are its own, wherever they came from."""
        file = Path(self.encoder_weights).name
        return replace(self, init="none", init_part="all", encoder_weights=file)

    def _check_encoder(self) -> None:
        """Refuse encoders and weights that cannot be; libraries are asked when they are built."""
        encoder, weights = self.encoder, self.encoder_weights
        library, _, name = encoder.partition(":")
        if encoder not in ENCODERS and not (library in BACKBONE_LIBRARIES and name):
            forms = (*ENCODERS, *(f"{library}:NAME" for library in BACKBONE_LIBRARIES))
            raise ConfigError(
                f"policy.encoder is {encoder!r}{nearest(encoder, forms)}; it must be one of "
                f"{', '.join(forms)}."
            )
        if weights == "none":
            return
        if encoder == "points" or (encoder == "vit-small" and weights == "default"):
            raise ConfigError(
                f"policy.encoder-weights is {weights!r}, but there are none for --policy.encoder "
                f"{encoder}; leave it at none, or start from a checkpoint by --policy.init."
            )
        if Path(weights).suffix in _PICKLED:
            raise ConfigError(
                f"policy.encoder-weights is {weights!r}, but pickled files are not read; convert "
                f"it by safetensors.torch.save_file(torch.load({weights!r}, weights_only=True), "
                f"{str(Path(weights).with_suffix('.safetensors'))!r}) and give that file."
            )
        require(
            weights == "default" or weights.endswith(".safetensors"),
            "policy.encoder-weights",
            weights,
            "none, default or a safetensors file",
        )
