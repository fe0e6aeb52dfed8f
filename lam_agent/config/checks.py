"""Checks of settings: a number out of range is refused in one sentence that names it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

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


MAX_THREADS = 1024
"""Most threads or processes of a command: more are a slip of the keyboard."""


def require_threads(threads: int | None) -> None:
    """Refuse numbers of CPU threads that no machine has."""
    is_one = threads is None or 1 <= threads <= MAX_THREADS
    require(is_one, "threads", threads, f"between 1 and {MAX_THREADS}")


DEVICES = ("auto", "cpu", "cuda", "cuda:NUMBER")
"""Devices that a policy may be on; `auto` is `cuda` where there is one."""


def require_device(name: str) -> None:
    """Refuse what is no name of a device; whether there is such a one is asked later."""
    is_device = re.fullmatch(r"auto|cpu|cuda(:\d+)?", name) is not None
    require(is_device, "device", name, f"{', '.join(DEVICES[:-1])} or {DEVICES[-1]}")


def require_finite(section: object, prefix: str) -> None:
    """Refuse NaN and infinity in any number of a section."""
    for item in fields(section):  # type: ignore[arg-type]
        value = getattr(section, item.name)
        if isinstance(value, float):
            name = f"{prefix}{item.name.replace('_', '-')}"
            require(math.isfinite(value), name, value, "a finite number")


def require_each(
    section: object,
    prefix: str,
    names: Sequence[str],
    is_allowed: Callable[[Any], bool],
    words: str,
) -> None:
    """Raise ConfigError unless each of some settings of a section is allowed.

    Args:
        section: The section, a dataclass.
        prefix: Its name on the command line, with the point after it.
        names: Fields of the section.
        is_allowed: Whether a value is.
        words: What it must be.
    """
    for item in names:
        value = getattr(section, item)
        require(is_allowed(value), f"{prefix}{item.replace('_', '-')}", value, words)


def require_positive(section: object, prefix: str, *names: str) -> None:
    """Refuse values that are 0 or less."""
    require_each(section, prefix, names, lambda value: value > 0, "greater than 0")


def require_at_least(low: int, section: object, prefix: str, *names: str) -> None:
    """Refuse values below a number."""
    require_each(section, prefix, names, lambda value: value >= low, f"at least {low}")


def require_decay(section: object, prefix: str, *names: str) -> None:
    """Refuse values that are not in [0, 1)."""
    words = "at least 0 and less than 1"
    require_each(section, prefix, names, lambda value: 0 <= value < 1, words)


_MOST = 1_000_000_000
"""Largest whole number of a setting, but for seeds: more cannot be counted or held."""


def require_countable(section: object, prefix: str = "") -> None:
    """Refuse whole numbers, in a section or those within it, that are beyond all use."""
    for item in fields(section):  # type: ignore[arg-type]
        value, name = getattr(section, item.name), f"{prefix}{item.name.replace('_', '-')}"
        if is_dataclass(value):
            require_countable(value, f"{name}.")
        elif isinstance(value, int) and not name.endswith("seed"):
            require(value <= _MOST, name, value, f"at most {_MOST}")


def require_at_most(high: int, section: object, prefix: str, *names: str) -> None:
    """Refuse values above a number."""
    require_each(section, prefix, names, lambda value: value <= high, f"at most {high}")


def require_share(section: object, prefix: str, *names: str) -> None:
    """Refuse values that are not in [0, 1]."""
    require_each(section, prefix, names, lambda value: 0 <= value <= 1, "between 0 and 1")
