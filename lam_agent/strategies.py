"""Names of the strategies, built-in ones and others; neither torch nor Avalanche is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

from lam_agent.errors import ConfigError, StrategyLoadError
from lam_envs.installed import installed_points
from lam_envs.words import nearest

ENTRY_POINT_GROUP = "lam_agent.strategies"
"""Group in which packages name their strategies: `my-strategy = "my_package:make_plugins"`."""

BUILT_IN = (
    *("naive", "replay", "packnet", "ewc", "mas", "l2", "agem"),
    *("cumulative", "joint"),
)

MakePlugins = Callable[[Any], Sequence[Any]]
"""Configuration of a run -> the Avalanche plugins that make up its strategy, new ones."""

_REGISTERED: dict[str, MakePlugins] = {}
"""Strategies that `register_strategy` added."""


def register_strategy(name: str) -> Callable[[MakePlugins], MakePlugins]:
    """Add a strategy under a name; a decorator of the function that makes its plugins.

    @register_strategy("my-strategy")
    def make_plugins(config):
        return [MyPlugin()]

    Args:
        name: Words of small letters and digits with hyphens in between.

    Raises:
        StrategyLoadError: The name is none, or is taken.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise StrategyLoadError(
            f"the name of a strategy is {name!r}; it must be words of small letters and digits "
            "with hyphens in between."
        )

    def register(make_plugins: MakePlugins) -> MakePlugins:
        known = _REGISTERED.get(name)
        is_same = known is not None and _place(known) == _place(make_plugins)
        if name in strategy_names() and not is_same:
            owner = "a built-in one" if name in BUILT_IN else "another one"
            raise StrategyLoadError(
                f"the strategy {_place(make_plugins)} cannot have the name {name!r}, which {owner} "
                "has; choose another name."
            )
        _REGISTERED[name] = make_plugins
        return make_plugins

    return register


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies, built-in ones first."""
    return tuple(dict.fromkeys((*BUILT_IN, *_REGISTERED, *_entry_points())))


def check_strategy_name(name: str) -> None:
    """Refuse a name that no strategy has.

    Raises:
        ConfigError: With the nearest name and the list of all.
    """
    names = strategy_names()
    if name not in names:
        raise ConfigError(
            f"there is no strategy {name!r}{nearest(name, names)}; the strategies are "
            f"{', '.join(names)}."
        )


def load_strategy(name: str) -> MakePlugins:
    """Return the function of a strategy that is not built in.

    Raises:
        Exception: Whatever the package raises that has it.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    make: MakePlugins = _entry_points()[name].load()
    return make


def _entry_points() -> dict[str, EntryPoint]:
    """Return the strategies of installed packages by name."""
    return {point.name: point for point in installed_points(ENTRY_POINT_GROUP)}


def _place(function: MakePlugins) -> str:
    """Return where a function is defined."""
    return f"{function.__module__}:{getattr(function, '__qualname__', function)}"
