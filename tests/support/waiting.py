"""A context in which it fails what would wait for a GPU, though all tensors are on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lam_envs import starts
from lam_envs.sim.native import NativeSim

METHODS = (
    *("__bool__", "__int__", "__float__", "__index__", "item", "tolist", "nonzero"),
    *("numpy", "cpu", "masked_select", "new_tensor"),
)
"""What of a tensor waits for its device."""

OPERATIONS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique_consecutive")
"""What waits, whoever calls it."""

INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")
"""What waits where an index is a mask."""


class Refusal(TorchDispatchMode):
    """Refuses what waits for the device, but for tensors that are told to be on the host."""

    def __init__(self, *on_host: torch.Tensor) -> None:
        super().__init__()
        self.on_host = on_host
        self.is_lifted = False

    def refuse(self) -> None:
        if not self.is_lifted:
            raise AssertionError("this waits for the device")

    def guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.refuse()
            return function(*args, **kwargs)

        return call

    def guarded_index(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(tensor: torch.Tensor, index: Any, *values: Any) -> Any:
            parts = index if isinstance(index, tuple) else (index,)
            if any(isinstance(part, (list, np.ndarray)) for part in parts):  # Is copied there.
                self.refuse()
            return function(tensor, index, *values)

        return call

    def lifting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            was_lifted, self.is_lifted = self.is_lifted, True
            try:
                return function(*args, **kwargs)
            finally:
                self.is_lifted = was_lifted

        return call

    def read(self, tensor: torch.Tensor) -> Any:
        if not any(tensor is known for known in self.on_host):
            self.refuse()
        return self.lifting(lambda: tensor.numpy())()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in OPERATIONS:
            self.refuse()
        if name in INDEXING and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        ):
            self.refuse()
        return func(*args, **(kwargs or {}))


@contextmanager
def refused(monkeypatch: pytest.MonkeyPatch, *on_host: torch.Tensor) -> Iterator[Refusal]:
    """Refuse what waits, but for tensors that are on the host; the native engine is let through."""
    refusal = Refusal(*on_host)
    with monkeypatch.context() as patch, refusal:
        for name in METHODS:
            patch.setattr(torch.Tensor, name, refusal.guarded(getattr(torch.Tensor, name)))
        for name in ("__getitem__", "__setitem__"):
            original = getattr(torch.Tensor, name)
            patch.setattr(torch.Tensor, name, refusal.guarded_index(original))
        for name in ("tensor", "as_tensor"):
            patch.setattr(torch, name, refusal.guarded(getattr(torch, name)))
        for name in ("step", "forward", "reset", "set_state", "broken", "mend"):
            patch.setattr(NativeSim, name, refusal.lifting(getattr(NativeSim, name)))
        patch.setattr(starts, "read", refusal.read)
        yield refusal
