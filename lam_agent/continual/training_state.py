"""What the plugins of a strategy carry from one experience to the next, as named tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lam_agent.continual.capture import part
from lam_agent.errors import StrategyLoadError


def plugin_tensors(plugins: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Return the tensors of all plugins that have some: replay buffer, importances, anchors.

    Raises:
        StrategyLoadError: What a plugin gives are no named tensors.
    """
    named: dict[str, torch.Tensor] = {}
    for plugin in plugins:
        if hasattr(plugin, "state"):
            for key, value in _state_of(plugin).items():
                named[f"{state_name(plugin)}.{key}"] = value
    return named


def changing(plugins: Sequence[Any]) -> list[Any]:
    """Return the plugins whose tensors change between two gradient steps, too, or may do so."""
    return [item for item in plugins if getattr(item, "changes_in_training", True)]


def _state_of(plugin: Any) -> Mapping[str, torch.Tensor]:
    """Return the state of a plugin, which others may have written."""
    state = plugin.state()
    is_mapping = isinstance(state, Mapping)
    wrong = [state] if not is_mapping else [v for v in state.values() if not torch.is_tensor(v)]
    if wrong or not all(isinstance(key, str) for key in state):
        found = type(wrong[0]).__name__ if wrong else "names that are no words"
        raise StrategyLoadError(
            f"state of the plugin {type(plugin).__name__} gives {found}; it must return named "
            "tensors, such as {'count': torch.tensor(3)}."
        )
    named: Mapping[str, torch.Tensor] = state
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
