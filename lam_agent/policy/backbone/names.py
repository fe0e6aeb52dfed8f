"""Names of backbones: split, and refused with the nearest ones where a library has none such."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lam_agent.errors import ConfigError


def split_name(encoder: str) -> tuple[str, str]:
    """Return library and name of an encoder: `timm:resnet18` is timm's resnet18."""
    library, _, name = encoder.partition(":")
    return library, name


def unknown_name(encoder: str, names: Iterable[str]) -> ConfigError:
    """Return the error for a name that a library does not have.

    Args:
        encoder: The setting.
        names: All names that the library has.
    """
    library, name = split_name(encoder)
    close = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    hint = f"the nearest names are {', '.join(close)}" if close else "look its names up"
    return ConfigError(f"policy.encoder is {encoder!r}, but {library} has no {name!r}; {hint}.")
