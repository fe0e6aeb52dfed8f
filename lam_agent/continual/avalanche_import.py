"""Import Avalanche, which takes about six seconds, quietly and only where it is needed."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from lam_agent.torchvision_import import import_torchvision


def import_avalanche() -> None:
    """Import Avalanche quietly; takes about six seconds."""
    import_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("avalanche.training.templates")
        _mend_synaptic_intelligence()


def _mend_synaptic_intelligence() -> None:
    """Let Avalanche's synaptic intelligence keep copies of the weights.

    Avalanche 0.6 keeps views of those that lie on the CPU, so that no step seems to move them: all
    importances are 0 then, and the plugin does nothing.
    """
    plugin = importlib.import_module("avalanche.training.plugins").SynapticIntelligencePlugin
    extract = plugin.extract_weights

    def extract_copies(model: Any, target: dict[str, Any], excluded_parameters: set[str]) -> None:
        extract(model, target, excluded_parameters)
        for kept in target.values():
            kept.data = kept.data.clone()

    if extract.__name__ != extract_copies.__name__:  # It is imported in several places.
        plugin.extract_weights = staticmethod(extract_copies)
