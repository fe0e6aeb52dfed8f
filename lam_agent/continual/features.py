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


def encode_copies(
    policy: VisualActionPolicy,
    frames: Frames,
    config: AugmentConfig,
    generator: torch.Generator,
    progress: Progress = no_progress,
) -> Frames:
    """Compute what the encoders see of altered copies of the pictures, too.

    Args:
        policy: The policy; its encoders are frozen.
        frames: Frames with images and their features.
        config: How many copies, and how they are altered.
        generator: Source of the draws, on the CPU.
        progress: Told how far it is.

    Returns:
        The frames and, behind them, their copies, with features alone.
    """
    assert frames.features is not None
    change = partial(augmented, config=config, generator=generator)
    parts = [frames.without_images()]
    for copy in range(config.copies):

        def tell(share: float, words: str, done: int = copy) -> None:
            progress((done + share) / config.copies, words)

        features = encode_frames(policy, frames, tell, change)
        parts.append(replace(parts[0], features=features))
    return Frames.concatenate(parts)
