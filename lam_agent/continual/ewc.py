"""Elastic weight consolidation with a Fisher information that does not depend on the batch size.

Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", Eq. 3.
The penalties of all tasks are kept as one diagonal and one anchor (Huszár 2018, "Note on the
quadratic penalties in EWC"), so that memory does not grow with the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.batches import Frames
from lam_agent.policy.policy import VisualActionPolicy

import_avalanche()

from avalanche.core import SupervisedPlugin  # noqa: E402

_CHUNK = 16
_FEATURES = "features"


def diagonal_fisher(
    policy: VisualActionPolicy, frames: Frames, num_samples: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Estimate the diagonal Fisher information of the policy's actions, one sample at a time.

    The mean absolute error is the negative log-likelihood of Laplace-distributed actions of scale
    1. The gradient of that likelihood at actions drawn from the policy itself has random signs,
    so a sample of the Fisher is the square of the gradient of the randomly signed actions.

    Args:
        policy: The policy.
        frames: Frames of the task that was just learned; where they have features, these are used.
        num_samples: Frames to use.
        generator: Source of frames and signs, on the CPU.

    Returns:
        Parameter name -> mean squared gradient, in the parameter's shape.
    """
    weights = {name: p.detach() for name, p in policy.named_parameters() if p.requires_grad}
    rest = {name: p.detach() for name, p in policy.named_parameters() if not p.requires_grad}
    buffers = dict(policy.named_buffers())
    length = policy.config.chunk_length

    def signed_actions(
        parameters: Mapping[str, torch.Tensor],
        seen: Mapping[str, torch.Tensor],
        proprioception: torch.Tensor,
        bag: torch.Tensor,
        signs: torch.Tensor,
    ) -> torch.Tensor:
        single = {name: value[None] for name, value in seen.items()}
        inputs = (single, proprioception[None], bag[None], single.get(_FEATURES))
        output = functional_call(policy, {**parameters, **rest, **buffers}, inputs)
        total: torch.Tensor = (output.actions[0] * signs).sum()
        return total

    gradients = vmap(grad(signed_actions), in_dims=(None, 0, 0, None, 0))
    index = torch.randint(len(frames), (num_samples,), generator=generator)
    signs = torch.randint(0, 2, (num_samples, length, 4), generator=generator) * 2.0 - 1.0
    device = policy.device
    fisher = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for first in range(0, num_samples, _CHUNK):
        part = frames.select(index[first : first + _CHUNK])
        seen = {camera: pictures.to(device) for camera, pictures in part.images.items()}
        if part.features is not None:
            seen = {_FEATURES: part.features.to(device)}
        with sdpa_kernel(SDPBackend.MATH):  # The others have no batching rule and warn of it.
            sample = gradients(
                weights,
                seen,
                part.proprioception.to(device),
                part.bag.to(device),
                signs[first : first + _CHUNK].to(device),
            )
        for name, gradient in sample.items():
            fisher[name] += gradient.square().sum(0) / num_samples
    return fisher


class EwcPlugin(SupervisedPlugin):  # type: ignore[misc]
    """Penalises moving weights that earlier tasks need.

    Args:
        strength: Weight of the penalty (lambda).
        fisher_samples: Frames from which the Fisher information is estimated.
    """

    state_name = "ewc"

    def __init__(self, strength: float, fisher_samples: int) -> None:
        super().__init__()
        self.strength = strength
        self.fisher_samples = fisher_samples
        self.importance: dict[str, torch.Tensor] = {}
        self.anchor: dict[str, torch.Tensor] = {}

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        if not self.importance:
            return
        penalty = torch.zeros((), device=strategy.device)
        for name, weight in strategy.model.named_parameters():
            if name in self.importance:
                drift = weight - self.anchor[name]
                penalty = penalty + (self.importance[name] * drift.square()).sum()
        strategy.loss = strategy.loss + 0.5 * self.strength * penalty

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        strategy.model.set_dropout(0.0)  # It is of training, not of the likelihood.
        frames, samples = strategy.seen, self.fisher_samples
        fisher = diagonal_fisher(strategy.model, frames, samples, strategy.generator)
        strategy.model.set_dropout(strategy.config.train.dropout)
        for name, values in fisher.items():
            self.importance[name] = self.importance.get(name, torch.zeros_like(values)) + values
        self.anchor = {
            name: weight.detach().clone()
            for name, weight in strategy.model.named_parameters()
            if name in fisher
        }

    def state(self) -> dict[str, torch.Tensor]:
        """Return importances and anchors as named tensors, for a file."""
        named = {f"importance.{name}": value for name, value in self.importance.items()}
        return named | {f"anchor.{name}": value for name, value in self.anchor.items()}

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Undo `state`."""
        for key, value in state.items():
            kind, name = key.split(".", 1)
            kept = self.importance if kind == "importance" else self.anchor
            kept[name] = value.to(device)
