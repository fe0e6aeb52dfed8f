"""Tensors of a policy: copied out, compared with what the policy needs, replayed."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lam_agent.checkpoint.contract import Contract
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError, ObservationError, TrainingError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.lora import plain_state
from lam_agent.policy.policy import VisualActionPolicy


def weights_of(policy: VisualActionPolicy) -> dict[str, torch.Tensor]:
    """Return copies of all weights and buffers on the CPU, low-rank factors added to theirs."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous()
        for name, tensor in plain_state(policy).items()
    }


def policy_from_tensors(
    config: PolicyConfig, tensors: Mapping[str, torch.Tensor], source: str
) -> VisualActionPolicy:
    """Build a policy on the CPU from its tensors, all of them and no others.

    Args:
        config: Sizes of the policy.
        tensors: Its weights and buffers by name.
        source: Where they are from, for errors.

    Raises:
        CheckpointError: A name, shape or type differs, or a value is NaN or infinite.
    """
    policy = check_sizes(config, tensors, source)
    if policy.device.type == "meta":
        policy = _build(config, "cpu")
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name} of {source} holds NaN or infinity; use an earlier checkpoint."
            )
    policy.load_state_dict(dict(tensors))
    # Channels last, as in pretraining, so that convolutions take the same path.
    policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return policy


def check_sizes(
    config: PolicyConfig, tensors: Mapping[str, torch.Tensor], source: str
) -> VisualActionPolicy:
    """Refuse tensors that are not those of a policy, which takes little memory in any case.

    Args:
        config: Sizes of the policy.
        tensors: Its weights and buffers by name.
        source: Where they are from, for errors.

    Returns:
        A policy of these sizes and any weights, on torch's device `meta` unless it is small.

    Raises:
        CheckpointError: A name, shape or type differs.
    """
    # Shapes without values, but for small policies: the first use of `meta` takes 0.7 s.
    policy = _build(config, "cpu" if _is_small(config) else "meta")
    difference = _first_difference(policy.state_dict(), tensors)
    if difference:
        raise CheckpointError(
            f"{source} {difference}; load weights that fit the sizes in its policy configuration."
        )
    return policy


def _build(config: PolicyConfig, place: str) -> VisualActionPolicy:
    """Return a policy of any weights; to draw them must not shift the caller's draws."""
    with torch.device(place), torch.random.fork_rng(devices=[]):
        return VisualActionPolicy(config)


def _is_small(config: PolicyConfig) -> bool:
    """Tell whether a policy of these sizes is built in no time."""
    sizes = (config.width, config.channels, config.keypoints, config.overview, config.adapter_size)
    num_layers = config.depth + config.encoder_depth
    return max(*sizes, config.chunk_length) <= 512 and num_layers <= 16


def _first_difference(
    expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> str | None:
    """Return in words the first tensor that differs in name, shape or type."""
    for name, tensor in expected.items():
        if name not in found:
            return f"lacks the tensor {name}"
        shape, dtype = tuple(found[name].shape), found[name].dtype
        if shape != tuple(tensor.shape) or dtype != tensor.dtype:
            return (
                f"has {name} of shape {shape} and type {dtype} where shape {tuple(tensor.shape)} "
                f"and type {tensor.dtype} are needed"
            )
    unknown = [name for name in found if name not in expected]
    return f"has the tensor {unknown[0]}, which the policy does not know" if unknown else None


def actions_for(
    policy: VisualActionPolicy, observations: Mapping[str, torch.Tensor], instruction: str
) -> torch.Tensor:
    """Return the chunks that a policy gives in full precision, (B, L, 4), on the CPU.

    Raises:
        CheckpointError: An observation does not fit, or an action is NaN or infinite.
    """
    lengths = {key: len(value) for key, value in observations.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise CheckpointError(
            f"the parity sample has {lengths} observations; it needs as many of each key, at least "
            "1."
        )
    try:
        with torch.autocast(policy.device.type, enabled=False):
            return policy.act(observations, bag_of_words(instruction)).cpu()
    except (ObservationError, TrainingError) as error:
        raise CheckpointError(f"the parity sample cannot be replayed: {error}") from error


def check_parity_sample(
    policy: VisualActionPolicy,
    observations: Mapping[str, torch.Tensor],
    actions: torch.Tensor,
    contract: Contract,
) -> None:
    """Refuse a policy that does not give the actions of the parity sample.

    Args:
        policy: The policy, on any device.
        observations: The sample's observations, B of them.
        actions: The actions they must give, shape (B, L, 4).
        contract: Names task and tolerance.

    Raises:
        CheckpointError: With the largest difference.
    """
    parity = contract.parity
    found = actions_for(policy, observations, contract.tasks[parity.task])
    if found.shape != actions.shape:
        raise CheckpointError(
            f"the parity sample has actions of shape {tuple(actions.shape)}, but the policy gives "
            f"{tuple(found.shape)}; save the checkpoint again."
        )
    is_cpu = policy.device.type == "cpu"
    tolerance = parity.tolerance_cpu if is_cpu else parity.tolerance_cuda
    difference = float((found - actions).abs().max())
    if not difference <= tolerance:
        raise CheckpointError(
            f"the policy's actions differ from the parity sample by {difference:.1e}, more than "
            f"{tolerance:g}, which is allowed on {policy.device.type}; install the versions that "
            "config.json names."
        )


def find_device(name: torch.device | str) -> torch.device:
    """Return a device that this machine has.

    Raises:
        CheckpointError: It is neither a CPU nor a CUDA device, or is not there.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(f"there is no device {name!r}; it must be cpu or cuda.") from error
    if device.type not in ("cpu", "cuda"):
        raise CheckpointError(f"the device is {str(device)!r}; it must be cpu or cuda.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CheckpointError(f"this machine has no {device}; load the checkpoint on the cpu.")
    return device
