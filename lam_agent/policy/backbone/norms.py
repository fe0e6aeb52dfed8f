"""Batch norms of a backbone with random weights become group norms.

The statistics of pretrained batch norms are kept as they are, and those of random ones are of
nothing: trained ones would follow the tasks, and a running average of the weights would not fit
them.
"""

from __future__ import annotations

from torch import nn

_GROUP_CHANNELS = 16
"""Channels of a group (Wu and He 2018, "Group Normalization", Table 3), at least."""


def replace_batch_norms(module: nn.Module) -> None:
    """Put a group norm in place of each batch norm inside a module.

    Source: Chi et al. 2023, "Diffusion Policy", Section III-B.

    Args:
        module: The module; it is changed in place.
    """
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, _group_norm(child))
        else:
            replace_batch_norms(child)


def _group_norm(norm: nn.BatchNorm2d) -> nn.Module:
    """Return a group norm, with the activation that some of timm's batch norms hold."""
    channels = norm.num_features
    most = max(1, channels // _GROUP_CHANNELS)
    groups = next(count for count in range(most, 0, -1) if channels % count == 0)
    group_norm = nn.GroupNorm(groups, channels)
    activation = getattr(norm, "act", None)
    if not isinstance(activation, nn.Module):
        return group_norm
    return nn.Sequential(group_norm, activation)
