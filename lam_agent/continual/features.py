"""What frozen encoders see of each frame, computed once: training then draws features."""

from __future__ import annotations

import torch

from lam_agent.continual.batches import Frames
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.types import Progress, no_progress

_BATCH = 256


@torch.no_grad()
def encode_frames(
    policy: VisualActionPolicy, frames: Frames, progress: Progress = no_progress
) -> torch.Tensor:
    """Compute what the policy's encoders see, in float32 and in evaluation mode.

    Args:
        policy: The policy; its encoders are frozen.
        frames: Frames with images.
        progress: Told how far it is.

    Returns:
        Features, float32 (F, S), where the images are.
    """
    parts = []
    for first in range(0, len(frames), _BATCH):
        images = {
            camera: pictures[first : first + _BATCH].to(policy.device)
            for camera, pictures in frames.images.items()
        }
        parts.append(policy.encode(images).to(frames.proprioception.device))
        progress(min(1.0, (first + _BATCH) / len(frames)), "encoding pictures")
    return torch.cat(parts)
