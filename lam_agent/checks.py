"""Checks of settings: a number out of range is refused in one sentence that names it."""

from __future__ import annotations

import math
from dataclasses import fields

from lam_agent.errors import ConfigError


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise ConfigError unless the condition holds.

    Args:
        condition: Whether the value is allowed.
        name: Name of the setting as the command line spells it.
        value: Its value.
        allowed: What it must be, in words.
    """
    if not condition:
        raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")


def require_finite(section: object, prefix: str) -> None:
    """Refuse NaN and infinity in any number of a section."""
    for item in fields(section):  # type: ignore[arg-type]
        value = getattr(section, item.name)
        if isinstance(value, float):
            name = f"{prefix}{item.name.replace('_', '-')}"
            require(math.isfinite(value), name, value, "a finite number")
