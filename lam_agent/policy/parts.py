"""Which parameters of a policy an adaptation mode trains, by their names."""

from __future__ import annotations

_PREFIXES = {"head": ("head.",), "adapter": ("adapters.",), "lora": ()}
"""Beginnings of the names that a mode trains; what `lora` trains is added to the policy."""


def is_trained_in(mode: str, name: str) -> bool:
    """Tell whether an adaptation mode trains a parameter.

    Args:
        mode: The adaptation mode, one of the configuration's.
        name: Name of the parameter.
    """
    if mode == "full":
        return True
    if mode == "trunk":
        return not name.startswith("encoders.")
    return name.startswith(_PREFIXES[mode])
