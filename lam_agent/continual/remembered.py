"""Frames of a task as a checkpoint's memory holds them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.features import encode_frames
from lam_agent.continual.outputs import outputs_on
from lam_agent.policy.policy import VisualActionPolicy


def to_memory(
    policy: VisualActionPolicy, frames: Frames, count: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Return some frames as named tensors, in half precision where that suffices.

    Args:
        policy: The policy. What its encoders see in the frames, and what it does on them, is
            computed where the frames do not have it.
        frames: Frames of one task.
        count: How many are drawn, at most.
        generator: Source of the draw.
    """
    drawn = frames.sample(count, generator)
    features = encode_frames(policy, drawn) if drawn.features is None else drawn.features
    features = features.half()
    drawn = replace(drawn, images={}, features=features)
    outputs = outputs_on(policy, drawn) if drawn.outputs is None else drawn.outputs
    return {
        "features": features,
        "proprioception": drawn.proprioception,
        "tracked": drawn.tracked,
        "actions": drawn.actions.half(),
        "is_inside": drawn.is_inside,
        "outputs": outputs.half(),
        "bag": drawn.bag,
    }


def from_memory(tensors: Mapping[str, torch.Tensor]) -> Frames:
    """Undo `to_memory`."""
    return Frames.from_tensors({**tensors, "actions": tensors["actions"].float()})
