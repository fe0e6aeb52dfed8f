"""Import Avalanche, which takes about six seconds, quietly and only where it is needed."""

from __future__ import annotations

import importlib
import warnings

from lam_agent.policy.torchvision_import import import_torchvision


def import_avalanche() -> None:
    """Import Avalanche quietly; takes about six seconds."""
    import_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("avalanche.training.templates")
