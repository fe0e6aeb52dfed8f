"""What the plugins of a strategy carry from one experience to the next, as named tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lam_agent.continual.capture import part


def plugin_tensors(plugins: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of all plugins that have some: replay buffer, importances, anchors."""
    named: dict[str, torch.Tensor] = {}
    for plugin in plugins:
        if hasattr(plugin, "state"):
            named |= {f"{state_name(plugin)}.{key}": value for key, value in plugin.state().items()}
    return named


def load_plugins(
    plugins: Sequence[Any], named: Mapping[str, torch.Tensor], device: torch.device
) -> None:
    """Undo `plugin_tensors`; the replay buffer stays where batches are drawn, on the CPU."""
    for plugin in plugins:
        if hasattr(plugin, "state"):
            plugin.load_state(part(named, f"{state_name(plugin)}."), device)


def state_name(plugin: Any) -> str:
    """Return the name under which a plugin's tensors are kept."""
    return getattr(plugin, "state_name", "") or type(plugin).__name__
