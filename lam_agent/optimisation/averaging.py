"""A running average of a policy's weights, which succeeds more evenly than any single step's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class RunningAverage:
    """Average of the parameters of a module that are trained (Polyak and Juditsky 1992).

    Args:
        module: The module.
        decay: Decay of the average; it is smaller in the first steps, so that the average forgets
            the weights that it began with.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        #: The average of each parameter, by name.
        self.weights = self._copies()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after gradient step `step`, from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update(list(self.weights.values()), list(self._trained.values()), step)

    @torch.no_grad()
    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Set the average."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    @torch.no_grad()
    def write(self, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        """Put weights into the module for good: those given, or the average."""
        for name, weight in self._trained.items():
            weight.copy_((self.weights if weights is None else weights)[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the module while the block runs."""
        kept = self._copies()
        self.write()
        try:
            yield
        finally:
            self.write(kept)

    def _copies(self) -> dict[str, torch.Tensor]:
        return {name: weight.detach().clone() for name, weight in self._trained.items()}
