"""What a policy does on frames: kept beside them, it tells later how far the policy has drifted."""

from __future__ import annotations

import torch

from lam_agent.continual.batches import Frames
from lam_agent.policy.policy import PolicyOutput, VisualActionPolicy

_BATCH = 256


def outputs_on(policy: VisualActionPolicy, frames: Frames) -> torch.Tensor:
    """Compute the policy's chunks, in evaluation mode.

    Args:
        policy: The policy.
        frames: Frames with features, or else with images.

    Returns:
        Chunks of actions, not clipped, float32 (F, L, 4), where the frames are.
    """
    return _computed(policy, frames).actions.to(frames.actions.device)


def tracked_on(policy: VisualActionPolicy, frames: Frames) -> torch.Tensor:
    """Compute where the policy believes object and goal to be, metres, (F, 6), likewise."""
    tracked = _computed(policy, frames).tracked
    return policy.normaliser.to_metres(tracked).to(frames.tracked.device)


@torch.no_grad()
def _computed(policy: VisualActionPolicy, frames: Frames) -> PolicyOutput:
    """Return the policy's output on all frames, on its device."""
    was_training = policy.training
    policy.eval()
    parts: list[PolicyOutput] = []
    for first in range(0, len(frames), _BATCH):
        part = frames.select(torch.arange(first, min(first + _BATCH, len(frames))))
        images = {camera: pictures.to(policy.device) for camera, pictures in part.images.items()}
        features = None if part.features is None else part.features.float().to(policy.device)
        feeling = part.proprioception.to(policy.device)
        bags = part.bag.to(policy.device).expand(len(part), -1)
        parts.append(policy(images, feeling, bags, features))
    policy.train(was_training)
    return PolicyOutput(
        torch.cat([part.actions for part in parts]), torch.cat([part.tracked for part in parts])
    )
