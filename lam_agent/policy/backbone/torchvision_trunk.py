"""Backbones of torchvision, and `vit-small`, which is built of its vision transformer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

from lam_agent.errors import ConfigError
from lam_agent.policy.backbone.names import split_name, unknown_name
from lam_agent.policy.backbone.norms import replace_batch_norms
from lam_agent.policy.backbone.trunk import MAX_STRIDE, PictureFormat, Trunk, picture_side
from lam_agent.torchvision_import import import_torchvision

_VIT_SMALL = {
    "patch_size": 8,
    "num_layers": 12,
    "num_heads": 6,
    "hidden_dim": 384,
    "mlp_dim": 1536,
}
"""ViT-S (Touvron et al. 2021, "DeiT", Table 1), with patches that suit small pictures."""

_MULTIPLE = 32
"""Sides of pictures of convolutional networks are multiples of it."""


class Tokens(nn.Module):
    """The tokens of a vision transformer of torchvision as maps, without the class token.

    Args:
        transformer: The vision transformer; its classifier is left out.
    """

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.conv_proj = transformer.conv_proj
        self.class_token = transformer.class_token
        self.encoder = transformer.encoder

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return maps (B, C, H, W), one cell for each patch of the pictures (B, 3, S, S)."""
        patches = self.conv_proj(pictures)  # (B, C, H, W)
        tokens = patches.flatten(2).transpose(1, 2)  # (B, H * W, C)
        first = self.class_token.expand(tokens.shape[0], -1, -1)
        tokens = self.encoder(torch.cat((first, tokens), 1))[:, 1:]
        maps: torch.Tensor = tokens.transpose(1, 2).reshape(patches.shape)
        return maps


class Maps(nn.Module):
    """One layer's maps of a convolutional network of torchvision; later layers are left out.

    Args:
        network: The network.
        side: Side of the pictures, pixels.
        are_channels_last: Whether its maps have the channels as last axis.
    """

    def __init__(self, network: nn.Module, side: int, *, are_channels_last: bool) -> None:
        super().__init__()
        extraction: Any = import_module("torchvision.models.feature_extraction")
        layer = _deepest_layer(network, side, 1 if are_channels_last else 2)
        self.layers = extraction.create_feature_extractor(network, {layer: "maps"})
        self._are_channels_last = are_channels_last

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return maps (B, C, H, W) of pictures (B, 3, S, S)."""
        maps: torch.Tensor = self.layers(pictures)["maps"]
        return maps.permute(0, 3, 1, 2) if self._are_channels_last else maps


def make_vit_small(image_size: int) -> Trunk:
    """Return a small vision transformer with random weights."""
    models = _models()
    patch = _VIT_SMALL["patch_size"]
    side = picture_side(image_size, patch, patch)
    transformer = models.VisionTransformer(image_size=side, **_VIT_SMALL)
    return Trunk(Tokens(transformer), PictureFormat(side))


def make_torchvision(encoder: str, image_size: int, *, is_random: bool) -> Trunk:
    """Return a network of torchvision with random weights.

    Args:
        encoder: The setting, `torchvision:NAME`.
        image_size: Side of the cameras' pictures, pixels.
        is_random: Whether its weights stay random, not those of a file or of the library.

    Raises:
        ConfigError: There is none of that name, or it has no maps.
    """
    models = _models()
    names = models.list_models(module=models)
    name = split_name(encoder)[1]
    if name not in names:
        raise unknown_name(encoder, names)
    if name.startswith("vit_"):
        patch = models.get_model(name).conv_proj.kernel_size[0]
        side = picture_side(image_size, patch, patch)
        return Trunk(Tokens(models.get_model(name, image_size=side)), PictureFormat(side))
    network = models.get_model(name)
    if is_random:
        replace_batch_norms(network)
    side = picture_side(image_size, MAX_STRIDE, _MULTIPLE)
    are_last = isinstance(network, models.SwinTransformer)
    try:
        maps = Maps(network.eval(), side, are_channels_last=are_last)
    except Exception as error:
        raise ConfigError(
            f"policy.encoder is {encoder!r}, which gives no maps of pictures of {side} x {side} "
            f"pixels ({type(error).__name__}); choose another network."
        ) from error
    return Trunk(maps, PictureFormat(side))


def downloaded_tensors(encoder: str) -> dict[str, torch.Tensor]:
    """Return the weights that torchvision offers for a network, from its cache or the internet."""
    weights = _models().get_model_weights(split_name(encoder)[1])
    tensors: dict[str, torch.Tensor] = weights.DEFAULT.get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )
    return tensors


def fitted_positions(trunk: Trunk, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors of a vision transformer with positions for the trunk's pictures."""
    if not isinstance(trunk.network, Tokens) or "encoder.pos_embedding" not in tensors:
        return tensors
    transformers: Any = import_module("torchvision.models.vision_transformer")
    patch = trunk.network.conv_proj.kernel_size[0]
    fitted: dict[str, torch.Tensor] = transformers.interpolate_embeddings(
        trunk.pictures.side, patch, dict(tensors)
    )
    return fitted


def _models() -> Any:
    import_torchvision()
    return import_module("torchvision.models")


@torch.no_grad()
def _deepest_layer(network: nn.Module, side: int, axis: int) -> str:
    """Return the last layer whose maps have cells of at most `MAX_STRIDE` pixels.

    Args:
        network: The network, in evaluation mode.
        side: Side of the pictures, pixels.
        axis: Axis of the maps' height.
    """
    found: list[str] = []

    def note(name: str) -> Callable[..., None]:
        def after(module: nn.Module, inputs: Any, maps: Any) -> None:
            is_map = isinstance(maps, torch.Tensor) and maps.ndim == 4
            if is_map and maps.shape[axis] * MAX_STRIDE >= side:
                found.append(name)

        return after

    hooks = [m.register_forward_hook(note(name)) for name, m in network.named_modules() if name]
    try:
        network(torch.zeros(1, 3, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return found[-1]
