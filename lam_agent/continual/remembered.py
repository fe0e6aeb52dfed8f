"""Frames of a task as a checkpoint's memory holds them, and back: a byte for each number.

Frames that are handed on from memory to memory stay what they are, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.features import encode_frames
from lam_agent.continual.outputs import outputs_on, tracked_on
from lam_agent.policy.policy import VisualActionPolicy

_LEVELS = 255
_WHOLE = 2048
"""float16 holds all whole numbers up to here."""

_SMALLEST_STEP = 2.0**-20
_OUTPUT_STEP = 2.0**-6
"""Of actions: they are in [-1, 1], and a policy that is not clipped goes up to 1.7."""


def to_memory(
    policy: VisualActionPolicy,
    frames: Frames,
    count: int,
    generator: torch.Generator,
    *,
    is_tracked: bool = True,
) -> dict[str, torch.Tensor]:
    """Return some frames as named tensors.

    Args:
        policy: The policy. What its encoders see in the frames, and what it does on them, is
            computed where the frames do not have it.
        frames: Frames of one task.
        count: How many are drawn, at most.
        generator: Source of the draw.
        is_tracked: Whether positions were measured; if not, they are what the policy believes, so
            that who trains on them later does not unlearn to see them.
    """
    drawn = frames.sample(count, generator)
    features = encode_frames(policy, drawn) if drawn.features is None else drawn.features.float()
    drawn = replace(drawn, images={}, features=features)
    outputs = outputs_on(policy, drawn) if drawn.outputs is None else drawn.outputs.float()
    tracked = drawn.tracked if is_tracked else tracked_on(policy, drawn)
    least, most = torch.iinfo(torch.int8).min, torch.iinfo(torch.int8).max
    acted = (outputs / _OUTPUT_STEP).round().clamp(least, most).to(torch.int8)
    return {
        **_to_bytes(features),
        "proprioception": drawn.proprioception,
        "tracked": tracked.half(),
        "outputs": acted,
        "bag": drawn.bag,
    }


def from_memory(tensors: Mapping[str, torch.Tensor]) -> Frames:
    """Return the frames of a memory; their actions are what the policy did."""
    outputs = tensors["outputs"].float() * _OUTPUT_STEP
    features = tensors["features"].float() * tensors["step"].float() + tensors["low"].float()
    return Frames(
        images={},
        proprioception=tensors["proprioception"],
        tracked=tensors["tracked"].float(),
        actions=outputs.clamp(-1.0, 1.0),
        is_inside=torch.ones(outputs.shape[:2], dtype=torch.bool),
        bag=tensors["bag"],
        features=features.half(),
        outputs=outputs.half(),
    )


def _to_bytes(features: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return features (M, S) as `features` uint8, which count steps `step` (S,) from `low` (S,).

    Steps are powers of two, and a feature is a whole number of them that float16 holds, so that
    rounding it again changes nothing.
    """
    least, most = features.amin(0), features.amax(0)
    finest = torch.maximum((most - least) / _LEVELS, features.abs().amax(0) / _WHOLE)
    step = torch.exp2(torch.ceil(torch.log2(finest.clamp_min(_SMALLEST_STEP))))
    is_wide = (most / step).round() - (least / step).round() > _LEVELS  # By rounding.
    step = torch.where(is_wide, 2 * step, step)
    low = (least / step).round()
    numbers = (features / step).round() - low
    return {"features": numbers.to(torch.uint8), "low": (low * step).half(), "step": step.half()}
