"""Backbones of the library timm, which is optional: loaded only where one is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lam_agent.errors import ConfigError
from lam_agent.extras import load_extra
from lam_agent.policy.backbone.names import split_name, unknown_name
from lam_agent.policy.backbone.norms import replace_batch_norms
from lam_agent.policy.backbone.trunk import MAX_STRIDE, PictureFormat, Trunk, picture_side
from lam_agent.torchvision_import import import_torchvision

Fill = Callable[[nn.Module], None]


class Intermediates(nn.Module):
    """One layer's maps of a network of timm; later layers and the classifier are left out.

    Args:
        network: The network.
        layer: Number of the layer, as timm counts what it calls intermediates.
    """

    def __init__(self, network: Any, layer: int) -> None:
        super().__init__()
        network.prune_intermediate_layers([layer], prune_norm=False, prune_head=True)
        self.layers = network
        self._layer = layer

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return maps (B, C, H, W) of pictures (B, 3, S, S)."""
        network: Any = self.layers
        maps: list[torch.Tensor] = network.forward_intermediates(
            pictures, [self._layer], norm=True, intermediates_only=True
        )
        return maps[0]


def load_timm() -> Any:
    """Return the module `timm`.

    Raises:
        MissingExtraError: It is not installed.
    """
    import_torchvision()
    return load_extra("timm", "policy.encoder timm:NAME needs", "timm")


def make_timm(
    encoder: str,
    image_size: int,
    *,
    is_random: bool,
    is_downloaded: bool = False,
    fill: Fill | None = None,
) -> Trunk:
    """Return a network of timm.

    Args:
        encoder: The setting, `timm:NAME`.
        image_size: Side of the cameras' pictures, pixels.
        is_random: Whether its weights stay random, not those of a file or of the library.
        is_downloaded: Whether timm fills it, from its cache or the internet; else it is random.
        fill: Called with the network before it is fitted to the size of the pictures.

    Raises:
        MissingExtraError: timm is not installed.
        ConfigError: There is none of that name, or it has no maps.
    """
    timm, name = load_timm(), split_name(encoder)[1]
    names = timm.list_models(pretrained="." in name)  # NAME.TAG says which pretrained weights.
    if not timm.is_model(name) or ("." in name and name not in names):
        raise unknown_name(encoder, names)
    if is_downloaded and not timm.models.is_model_pretrained(name):
        raise ConfigError(
            f"policy.encoder is {encoder!r}, for which timm offers no weights; set "
            "--policy.encoder-weights to a safetensors file or none."
        )
    network = timm.create_model(name, pretrained=is_downloaded)
    if is_random:
        replace_batch_norms(network)
    if not hasattr(network, "forward_intermediates"):
        raise ConfigError(
            f"policy.encoder is {encoder!r}, of which timm gives no maps; choose another network."
        )
    layer, stride, multiple = _layer_of(network)
    settings = network.pretrained_cfg
    side = picture_side(image_size, stride, multiple)
    maps = Intermediates(network, layer)
    if fill is not None:
        fill(network)
    if hasattr(network, "set_input_size"):
        network.set_input_size(img_size=(side, side))
    return Trunk(maps, PictureFormat(side, tuple(settings["mean"]), tuple(settings["std"])))


def native_tensors(network: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors of a file in the names and shapes of a network, where timm knows how."""
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return tensors
    converted: dict[str, torch.Tensor] = convert(dict(tensors), network)
    return converted


def _layer_of(network: Any) -> tuple[int, int, int]:
    """Return number and stride of the layer to look at, and the largest stride of the network."""
    strides = [int(item["reduction"]) for item in network.feature_info]
    stride = max((s for s in strides if s <= MAX_STRIDE), default=min(strides))
    layer = max(index for index, s in enumerate(strides) if s == stride)
    return layer, stride, max(strides)
