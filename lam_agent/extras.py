"""Packages of optional extras: loaded only where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lam_agent.errors import MissingExtraError


def load_extra(extra: str, needing: str, *modules: str) -> Any:
    """Import modules of an extra, and return the last.

    Args:
        extra: The extra that installs them.
        needing: What needs them, with the verb.
        modules: Their names.

    Raises:
        MissingExtraError: One of them, or a package that it imports, is not installed.
    """
    try:
        return [import_module(name) for name in modules][-1]
    except ImportError as error:
        raise MissingExtraError(
            f"{needing} the package {error.name or modules[-1]}, which is not installed; run pip "
            f'install "lam-agent[{extra}]".'
        ) from error
