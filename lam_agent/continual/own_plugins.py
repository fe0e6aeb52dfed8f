"""Plugins of a strategy that is not built in, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lam_agent.config import RunConfig
from lam_agent.continual.plugin import BasePlugin
from lam_agent.continual.training_state import state_name
from lam_agent.errors import StrategyLoadError, one_line
from lam_agent.strategies import load_strategy

_WORKING = frozenset({"SynapticIntelligencePlugin", "SupervisedPlugin", "BaseSGDPlugin"})
"""Of Avalanche's own plugins. The others need class labels, its own batches or its own loaders."""


def own_plugins(config: RunConfig) -> list[Any]:
    """Return new plugins of a strategy that is not built in.

    Raises:
        StrategyLoadError: Its package cannot be loaded, its function fails or returns no list of
            plugins, or two of them would keep what they carry under one name.
    """
    name = config.strategy
    try:
        plugins = load_strategy(name)(config)
    except Exception as error:  # Whatever the code of others raises.
        raise StrategyLoadError(
            f"the strategy {name!r} cannot be made: {type(error).__name__} ({one_line(error)}); "
            "mend it."
        ) from error
    if not isinstance(plugins, Sequence):
        raise StrategyLoadError(
            f"the strategy {name!r} gives a {type(plugins).__name__}; it must give a list of "
            "Avalanche plugins."
        )
    _check(name, plugins)
    return list(plugins)


def _check(name: str, plugins: Sequence[Any]) -> None:
    """Refuse what is no plugin, a class in place of one, and two of one name."""
    names = []
    for plugin in plugins:
        if not isinstance(plugin, BasePlugin):
            found = f"the class {plugin.__name__}" if isinstance(plugin, type) else repr(plugin)
            raise StrategyLoadError(
                f"the strategy {name!r} gives {found}; each entry of its list must be an instance "
                "of an Avalanche plugin."
            )
        kind = type(plugin)
        if kind.__module__.startswith("avalanche.") and kind.__name__ not in _WORKING:
            raise StrategyLoadError(
                f"the strategy {name!r} gives Avalanche's {kind.__name__}, which is made for "
                "classification and cannot train a policy; use one of lam_agent's strategies, or "
                "write a StrategyPlugin (docs/strategies.md)."
            )
        if hasattr(plugin, "state"):
            names.append(state_name(plugin))
    for twice in names:
        if names.count(twice) > 1:
            raise StrategyLoadError(
                f"the strategy {name!r} gives two plugins that keep what they carry under the name "
                f"{twice!r}; give each a state_name of its own."
            )
