"""Averaged gradient episodic memory: no gradient step is to raise the loss of old tasks.

Source: Chaudhry et al. 2019, "Efficient Lifelong Learning with A-GEM", Eq. 11.
"""

from __future__ import annotations

from typing import Any

import torch

from lam_agent.continual.batches import FrameLoader
from lam_agent.continual.replay import ReplayPlugin


class AGemPlugin(ReplayPlugin):
    """Keeps frames as replay does; a batch of them says where the gradient must not go.

    The buffer's batch has the share `batch_fraction` of the frames of a gradient step.
    """

    state_name = "agem"
    _memory: FrameLoader | None = None

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        super().before_training_exp(strategy, **kwargs)
        loader = strategy.dataloader
        (new, *old), pool = loader.sources, loader.pool
        loader.sources, loader.pool = [new], (None, 0)
        self._memory = None
        if old or pool[1]:
            self._memory = FrameLoader(old, 1, strategy.generator)
            self._memory.pool = pool

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        """Take from the gradient the part that points against the memory's (Eq. 11)."""
        if self._memory is None:
            return
        trained = [p for p in strategy.model.parameters() if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        reference = self._reference(strategy, trained)
        inner = _dot(gradients, reference)
        if not bool(inner < 0):
            return
        factor = inner / _dot(reference, reference)
        for parameter, gradient, memory in zip(trained, gradients, reference, strict=True):
            parameter.grad = gradient - factor * memory

    def _reference(self, strategy: Any, trained: list[torch.nn.Parameter]) -> list[torch.Tensor]:
        """Return the gradient of the loss on a batch of the memory."""
        assert self._memory is not None
        ((observation, target, _),) = self._memory
        device = strategy.device
        loss = strategy.loss_on(observation.to(device), target.to(device))
        found = torch.autograd.grad(loss, trained, allow_unused=True)
        pairs = zip(trained, found, strict=True)
        return [torch.zeros_like(p) if gradient is None else gradient for p, gradient in pairs]


def _dot(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> torch.Tensor:
    """Return the inner product of two gradients, a scalar."""
    return torch.stack([(a * b).sum() for a, b in zip(ours, theirs, strict=True)]).sum()
