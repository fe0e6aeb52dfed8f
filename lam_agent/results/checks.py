"""What a value of `results.json` may be."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lam_agent.errors import ResultsError

_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def take(data: Mapping[str, Any], key: str, kind: type, prefix: str = "") -> Any:
    """Return the value of a key that must be there."""
    if key not in data:
        raise ResultsError(f"{prefix}{key} is missing; it must be {_KINDS[kind]}.")
    return expect(data[key], kind, prefix + key)


def expect(value: Any, kind: type, name: str) -> Any:
    """Return the value if it is of a kind; true and false are no numbers."""
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ResultsError(f"{name} is {json.dumps(value)[:60]}; it must be {_KINDS[kind]}.")
    return value


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def is_interval(value: Sequence[object]) -> bool:
    """Tell whether a value is two finite numbers in order."""
    match value:
        case [low, high] if is_number(low) and is_number(high):
            return bool(low <= high)  # type: ignore[operator]
    return False
