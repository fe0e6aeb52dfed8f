"""A running average of a policy's weights, which succeeds more evenly than any single step's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn


class RunningAverage:
    """Average of the parameters of a module (Polyak and Juditsky 1992).

    Args:
        module: The module.
        decay: Decay of the average; it is smaller in the first steps.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after gradient step `step`, from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, weight in self._module.named_parameters():
            self.weights[name].lerp_(weight, 1.0 - decay)

    @torch.no_grad()
    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Set the average."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    def adopt(self) -> None:
        """Put the average into the module for good."""
        self._write(self.weights)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the module while the block runs."""
        kept = {name: p.detach().clone() for name, p in self._module.named_parameters()}
        self._write(self.weights)
        try:
            yield
        finally:
            self._write(kept)

    @torch.no_grad()
    def _write(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, weight in self._module.named_parameters():
            weight.copy_(weights[name])
