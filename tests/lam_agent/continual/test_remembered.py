"""Frames as a memory holds them: drawn, rounded, and handed on without rounding again."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import from_memory, to_memory
from lam_agent.policy.policy import VisualActionPolicy

MakeFrames = Callable[..., Frames]
MakePolicy = Callable[..., VisualActionPolicy]


def test_a_memory_has_random_frames_and_what_the_policy_does_on_them(
    make_lab: Callable[..., Any], make_frames: MakeFrames
) -> None:
    policy, frames = make_lab("replay", adapt="trunk").strategy.model, make_frames(20)
    memory = to_memory(policy, frames, 6, torch.Generator().manual_seed(1))
    rows = [
        int((frames.proprioception == row).all(1).nonzero()[0, 0])
        for row in memory["proprioception"]
    ]
    assert len(set(rows)) == 6 and rows == sorted(rows) != list(range(6))
    with torch.no_grad():
        images = {camera: pictures[rows] for camera, pictures in frames.images.items()}
        acted = policy(images, frames.proprioception[rows], frames.bag.expand(6, -1)).actions
        seen = policy.encode(images)
    kept = from_memory(memory)
    assert kept.features is not None and kept.outputs is not None
    torch.testing.assert_close(kept.outputs.float(), acted, rtol=0, atol=8e-3)
    torch.testing.assert_close(kept.tracked, frames.tracked[rows], rtol=0, atol=1e-3)
    assert torch.equal(kept.bag, frames.bag) and bool(kept.is_inside.all())
    error, spread = (kept.features - seen).abs().amax(0), seen.amax(0) - seen.amin(0)
    assert bool((error <= torch.maximum(spread / 127, seen.abs().amax(0) / 1024)).all())
    assert memory["features"].dtype == torch.uint8 and memory["outputs"].dtype == torch.int8


@pytest.mark.parametrize("scale", [1e-5, 0.02, 1.0, 300.0])
@pytest.mark.parametrize("offset", [0.0, 0.7, -40.0])
def test_frames_that_are_handed_on_stay_what_they_are(
    make_policy: MakePolicy, make_frames: MakeFrames, scale: float, offset: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    frames = make_frames(40)
    spread = torch.rand(300, generator=generator) * torch.rand(40, 300, generator=generator)
    frames.features = scale * (spread + offset * torch.rand(300, generator=generator))
    frames.features[:, 0] = 3.0  # Always the same.
    frames.outputs = 1.5 * frames.actions
    once = from_memory(to_memory(make_policy(), frames, 99, generator))
    assert once.features is not None and bool((once.features[:, 0] == 3.0).all())
    bound = torch.maximum(spread.amax(0), (frames.features / scale).abs().amax(0) / 16)
    error = (once.features - frames.features).abs().amax(0) / scale
    assert bool((error[1:] <= bound[1:] / 127 + 1e-6 / scale).all())
    twice = from_memory(to_memory(make_policy(), once, 99, generator))
    for name, tensor in once.tensors().items():
        assert torch.equal(twice.tensors()[name], tensor), name


def test_positions_that_nobody_measured_are_what_the_policy_believes(
    make_policy: MakePolicy, make_frames: MakeFrames
) -> None:
    policy, frames = make_policy(), make_frames(6)
    frames.tracked = torch.zeros_like(frames.tracked)
    memory = to_memory(policy, frames, 6, torch.Generator().manual_seed(0), is_tracked=False)
    with torch.no_grad():
        bags = frames.bag.expand(6, -1)
        output = policy.eval()(frames.images, frames.proprioception, bags)
    kept = policy.normaliser.positions(from_memory(memory).tracked)
    torch.testing.assert_close(kept, output.tracked, rtol=0, atol=1e-2)


def test_actions_of_a_memory_can_be_executed(
    make_policy: MakePolicy, make_frames: MakeFrames
) -> None:
    frames = make_frames(5)
    frames.features, frames.outputs = torch.rand(5, 8), 3 * frames.actions
    kept = from_memory(to_memory(make_policy(), frames, 5, torch.Generator()))
    torch.testing.assert_close(kept.actions, frames.outputs.clamp(-1, 1), rtol=0, atol=8e-3)
