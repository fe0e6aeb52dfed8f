"""How much a task needs each weight: what the quadratic penalties weigh a drift with.

Each is a function of the policy and of frames of the task that was just learned, and does not
depend on the batch size: Fisher information and sensitivity are means over single frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from lam_agent.continual.batches import Frames
from lam_agent.policy.policy import VisualActionPolicy

Importance = Callable[[VisualActionPolicy, Frames, torch.Generator], dict[str, torch.Tensor]]
"""Policy, frames and source of draws -> importance of each trained parameter, in its shape."""

_CHUNK = 16
_FEATURES = "features"


def diagonal_fisher(
    policy: VisualActionPolicy, frames: Frames, generator: torch.Generator, num_samples: int
) -> dict[str, torch.Tensor]:
    """Estimate the diagonal Fisher information of the policy's actions, one sample at a time.

    The mean absolute error is the negative log-likelihood of Laplace-distributed actions of scale
    1. The gradient of that likelihood at actions drawn from the policy itself has random signs,
    so a sample of the Fisher is the square of the gradient of the randomly signed actions.

    Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", Eq. 3.

    Args:
        policy: The policy.
        frames: Frames of the task that was just learned; where they have features, these are used.
        generator: Source of frames and signs, on the CPU.
        num_samples: Frames to use.

    Returns:
        Parameter name -> mean squared gradient, in the parameter's shape.
    """
    index = torch.randint(len(frames), (num_samples,), generator=generator)
    shape = (num_samples, policy.config.chunk_length, 4)
    signs = torch.randint(0, 2, shape, generator=generator) * 2.0 - 1.0
    return _mean_over_frames(
        policy,
        frames.select(index),
        signs,
        lambda actions, signs: (actions * signs).sum(),
        torch.square,
    )


def output_sensitivity(
    policy: VisualActionPolicy, frames: Frames, generator: torch.Generator, num_samples: int
) -> dict[str, torch.Tensor]:
    """Estimate how much each weight changes the squared norm of the policy's actions.

    Source: Aljundi et al. 2018, "Memory Aware Synapses: Learning what (not) to forget", Section
    4.1: the mean absolute gradient of the squared norm of the output.

    Args:
        policy: The policy.
        frames: Frames of the task that was just learned; where they have features, these are used.
        generator: Source of frames, on the CPU.
        num_samples: Frames to use.

    Returns:
        Parameter name -> mean absolute gradient, in the parameter's shape.
    """
    index = torch.randint(len(frames), (num_samples,), generator=generator)
    nothing = torch.zeros(num_samples, 0)
    return _mean_over_frames(
        policy, frames.select(index), nothing, lambda actions, _: actions.square().sum(), torch.abs
    )


def equal_importance(policy: VisualActionPolicy) -> dict[str, torch.Tensor]:
    """Return 1 for every weight that is trained."""
    return {name: torch.ones_like(p) for name, p in policy.named_parameters() if p.requires_grad}


def _mean_over_frames(
    policy: VisualActionPolicy,
    frames: Frames,
    extra: torch.Tensor,
    value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    size: Callable[[torch.Tensor], torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Return the mean over frames of the size of the gradient of a value of the actions.

    Args:
        policy: The policy.
        frames: The frames, F of them.
        extra: What `value` gets beside the actions, (F, …).
        value: Actions of a frame, (L, 4), and its extra -> a scalar.
        size: What is averaged of a gradient, elementwise.
    """
    weights = {name: p.detach() for name, p in policy.named_parameters() if p.requires_grad}
    rest = {name: p.detach() for name, p in policy.named_parameters() if not p.requires_grad}
    buffers = dict(policy.named_buffers())

    def value_of(
        parameters: Mapping[str, torch.Tensor],
        seen: Mapping[str, torch.Tensor],
        proprioception: torch.Tensor,
        bag: torch.Tensor,
        extra: torch.Tensor,
    ) -> torch.Tensor:
        single = {name: value[None] for name, value in seen.items()}
        inputs = (single, proprioception[None], bag[None], single.get(_FEATURES))
        output = functional_call(policy, {**parameters, **rest, **buffers}, inputs)
        return value(output.actions[0], extra)

    gradients = vmap(grad(value_of), in_dims=(None, 0, 0, None, 0))
    mean = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, extras in _chunks(frames, extra, policy.device):
        with sdpa_kernel(SDPBackend.MATH):  # The others have no batching rule and warn of it.
            sample = gradients(weights, *inputs, extras)
        for name, gradient in sample.items():
            mean[name] += size(gradient).sum(0) / len(frames)
    return mean


def _chunks(
    frames: Frames, extra: torch.Tensor, device: torch.device
) -> Iterator[tuple[tuple[Mapping[str, torch.Tensor], torch.Tensor, torch.Tensor], torch.Tensor]]:
    """Yield what the policy sees, feels and is told of a few frames at a time, and their extras."""
    for first in range(0, len(frames), _CHUNK):
        part = frames.select(torch.arange(first, min(first + _CHUNK, len(frames))))
        seen = {camera: pictures.to(device) for camera, pictures in part.images.items()}
        if part.features is not None:
            seen = {_FEATURES: part.features.to(device)}
        inputs = (seen, part.proprioception.to(device), part.bag.to(device))
        yield inputs, extra[first : first + _CHUNK].to(device)
