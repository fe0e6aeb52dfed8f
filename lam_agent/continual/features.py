"""What frozen encoders see of each frame, computed once: training then draws features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from lam_agent.config import AugmentConfig
from lam_agent.continual.batches import Frames
from lam_agent.optimisation.augmentation import augmented
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.types import Progress, no_progress

_BATCH = 256

Images = dict[str, torch.Tensor]
"""Camera -> uint8 (B, H, W, 3)."""


@torch.no_grad()
def encode_frames(
    policy: VisualActionPolicy,
    frames: Frames,
    progress: Progress = no_progress,
    change: Callable[[Images], Images] = dict,
) -> torch.Tensor:
    """Compute what the policy's encoders see, in float32 and in evaluation mode.

    Args:
        policy: The policy; its encoders are frozen.
        frames: Frames with images.
        progress: Told how far it is.
        change: Alters the pictures before they are seen.

    Returns:
        Features, float32 (F, S), where the images are.
    """
    parts = []
    for first in range(0, len(frames), _BATCH):
        images = {
            camera: pictures[first : first + _BATCH].to(policy.device)
            for camera, pictures in frames.images.items()
        }
        parts.append(policy.encode(change(images)).to(frames.proprioception.device))
        progress(min(1.0, (first + _BATCH) / len(frames)), "encoding pictures")
    return torch.cat(parts)


def see_frames(
    policy: VisualActionPolicy,
    frames: Frames,
    config: AugmentConfig,
    generator: torch.Generator,
    progress: Progress = no_progress,
) -> Frames:
    """Let frozen encoders see frames, and altered copies of their pictures where these are asked.

    Args:
        policy: The policy; its encoders are frozen.
        frames: The frames; they keep their own features. Without images there are no copies.
        config: How many copies, and how they are altered.
        generator: Source of the draws, on the CPU.
        progress: Told how far it is.

    Returns:
        The frames and, behind them, their copies, with features alone.
    """
    copies = config.copies if frames.images else 0

    def tell(done: int) -> Progress:
        return lambda share, words: progress((done + share) / (1 + copies), words)

    if frames.features is None:
        frames.features = encode_frames(policy, frames, tell(0))
    change = partial(augmented, config=config, generator=generator)
    seen = [frames.without_images()]
    for copy in range(copies):
        features = encode_frames(policy, frames, tell(1 + copy), change)
        seen.append(replace(seen[0], features=features))
    return Frames.concatenate(seen) if copies else seen[0]
