"""Import torchvision where torch is a CPU build and torchvision is not.

PyPI's torchvision is built for CUDA. Beside a CPU build of torch it cannot load its own operators,
and its import fails with `operator torchvision::nms does not exist`. Defining the two schemas that
it registers Python code for is enough; neither Avalanche nor image backbones call them.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries: list[Any] = []


def _has_operator(name: str) -> bool:
    """Say whether torch knows an operator of torchvision."""
    return hasattr(torch.ops.torchvision, name)


def import_torchvision() -> None:
    """Import torchvision, with the missing schemas where its own operators cannot be loaded."""
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for schema in _SCHEMAS:
        if not _has_operator(schema.partition("(")[0]):
            make_library: Any = torch.library.Library
            library = make_library("torchvision", "FRAGMENT")
            library.define(schema)
            _libraries.append(library)  # A library's definitions live as long as it does.
    importlib.import_module("torchvision")
