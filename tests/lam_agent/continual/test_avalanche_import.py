"""Importing Avalanche, also where torchvision cannot load its own operators."""

import sys

import torch

from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.torchvision_import import import_torchvision


def test_importing_twice_is_harmless() -> None:
    import_avalanche()
    kept = sys.modules["avalanche.training.templates"]
    import_avalanche()
    import_torchvision()
    assert sys.modules["avalanche.training.templates"] is kept
    assert hasattr(torch.ops.torchvision, "nms")
