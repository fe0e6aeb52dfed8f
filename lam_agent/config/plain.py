"""From a configuration to what YAML and JSON hold."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any


def to_plain(value: Any) -> Any:
    """Turn a configuration into dicts, lists, strings and numbers, as YAML and JSON hold them."""
    if hasattr(value, "__dataclass_fields__"):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
