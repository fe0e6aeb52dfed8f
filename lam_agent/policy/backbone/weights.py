"""Weights of a backbone that a policy begins with: a file, or what its library offers.

A checkpoint holds the backbone's weights, so that none of this is needed to load one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError, LamAgentError, one_line
from lam_agent.policy.backbone.encoders import BackboneEncoders
from lam_agent.policy.backbone.timm_trunk import make_timm, native_tensors
from lam_agent.policy.backbone.torchvision_trunk import (
    Maps,
    downloaded_tensors,
    fitted_positions,
    make_torchvision,
    make_vit_small,
)
from lam_agent.policy.backbone.trunk import Trunk
from lam_agent.policy.encoders import make_encoders

_COUNTER = "num_batches_tracked"
"""A batch norm's counter, which nothing reads here; some files lack it."""


def load_backbone_weights(encoders: nn.Module, config: PolicyConfig) -> None:
    """Give a backbone the weights that `policy.encoder-weights` names; `none` leaves it random.

    Args:
        encoders: The policy's encoders.
        config: The policy's configuration.

    Raises:
        CheckpointError: The weights cannot be had, or do not fit.
        ConfigError: The library offers none for this backbone.
    """
    if not isinstance(encoders, BackboneEncoders) or config.encoder_weights == "none":
        return
    with torch.random.fork_rng(devices=[]):  # Random weights that are then replaced.
        if config.encoder_weights == "default":
            trunk = _downloaded_trunk(config)
        else:
            trunk = _trunk_of_file(config, Path(config.encoder_weights))
    encoders.trunk.load_state_dict(trunk.state_dict())


def check_backbone(config: PolicyConfig) -> None:
    """Build the encoders and load their weights once, so that what is amiss is said before work.

    Args:
        config: The policy's configuration.

    Raises:
        CheckpointError: The backbone's weights cannot be had, or do not fit.
        ConfigError: There is no such backbone.
        MissingExtraError: Its library is not installed.
    """
    if config.encoder != "points" and config.init == "none":
        with torch.random.fork_rng(devices=[]):
            load_backbone_weights(make_encoders(config, ("front",)), config)


def _downloaded_trunk(config: PolicyConfig) -> Trunk:
    """Return the backbone with its library's weights."""
    encoder, size = config.encoder, config.image_size
    try:
        if encoder.startswith("timm:"):
            return make_timm(encoder, size, is_random=False, is_downloaded=True)
        tensors = downloaded_tensors(encoder)
    except LamAgentError:
        raise
    except Exception as error:  # Each library and each of its hosts has errors of its own.
        raise CheckpointError(
            f"the weights of {encoder} cannot be downloaded ({type(error).__name__}: "
            f"{one_line(error)}); connect to the internet, or set --policy.encoder-weights to a "
            "safetensors file or none."
        ) from error
    trunk = make_torchvision(encoder, size, is_random=False)
    _fill(_named_like_library(trunk), fitted_positions(trunk, tensors), f"the weights of {encoder}")
    return trunk


def _trunk_of_file(config: PolicyConfig, path: Path) -> Trunk:
    """Return the backbone with the weights of a file."""
    encoder, size = config.encoder, config.image_size
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the backbone's weights {path} cannot be read ({one_line(error)}); set "
            "--policy.encoder-weights to a safetensors file."
        ) from error
    if encoder.startswith("timm:"):

        def fill(network: nn.Module) -> None:
            _fill(network, native_tensors(network, tensors), str(path))

        return make_timm(encoder, size, is_random=False, fill=fill)
    if encoder == "vit-small":
        trunk = make_vit_small(size)
    else:
        trunk = make_torchvision(encoder, size, is_random=False)
    _fill(_named_like_library(trunk), fitted_positions(trunk, tensors), str(path))
    return trunk


def _named_like_library(trunk: Trunk) -> nn.Module:
    """Return the part of a backbone of torchvision whose tensors have the library's names."""
    return trunk.network.layers if isinstance(trunk.network, Maps) else trunk.network


def _fill(module: nn.Module, tensors: Mapping[str, torch.Tensor], source: str) -> None:
    """Load the tensors that a module needs; others, such as a classifier's, are left out.

    Raises:
        CheckpointError: A tensor is missing, has another shape, or holds NaN or infinity.
    """
    for name, needed in module.state_dict().items():
        if name.endswith(_COUNTER):
            continue
        if name not in tensors:
            raise CheckpointError(
                f"{source} has no tensor {name}, which the backbone needs; give weights of the "
                "network that policy.encoder names."
            )
        found = tensors[name]
        if found.shape != needed.shape:
            raise CheckpointError(
                f"{source} has {name} of shape {tuple(found.shape)} where the backbone needs "
                f"{tuple(needed.shape)}; give weights of the network that policy.encoder names."
            )
        if not bool(torch.isfinite(found).all()):
            raise CheckpointError(f"{name} of {source} holds NaN or infinity; give other weights.")
    needed_tensors = {name: tensors.get(name, value) for name, value in module.state_dict().items()}
    module.load_state_dict(needed_tensors)
