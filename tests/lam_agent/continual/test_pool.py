"""Draws from many tasks at once: every task as often, every frame of a task as often."""

from __future__ import annotations

from collections.abc import Callable

import torch

from lam_agent.continual.batches import BEFORE_STREAM, FrameLoader, Frames
from lam_agent.continual.pool import FramePool

MakeFrames = Callable[..., Frames]
COUNTS = (1, 10, 90)


def make_tasks(make_frames: MakeFrames) -> list[Frames]:
    """Return tasks of different sizes, whose frames are numbered in `tracked`."""
    tasks = [
        make_frames(count, seed=count, mark=float(place), instruction=f"task {place}")
        for place, count in enumerate(COUNTS)
    ]
    for frames in tasks:
        frames.tracked[:, 0] = torch.arange(len(frames))
    return tasks


def test_every_task_is_drawn_as_often_and_so_is_each_of_its_frames(
    make_frames: MakeFrames,
) -> None:
    tasks, total = make_tasks(make_frames), 9000
    drawn = FramePool(tasks).draw(total, torch.Generator().manual_seed(0))
    which = drawn.proprioception[:, 0].long()
    for place, frames in enumerate(tasks):
        rows = which == place
        expected = total / len(tasks)
        assert abs(int(rows.sum()) - expected) < 5 * expected**0.5
        often = torch.bincount(drawn.tracked[rows, 0].long(), minlength=len(frames))
        each = expected / len(frames)
        assert len(often) == len(frames) and (often - each).abs().max() < 5 * each**0.5
        assert torch.equal(drawn.bag[rows], frames.bag.expand(int(rows.sum()), -1))


def test_a_drawn_frame_is_whole(make_frames: MakeFrames) -> None:
    tasks = make_tasks(make_frames)
    drawn = FramePool(tasks).draw(50, torch.Generator().manual_seed(1))
    for row in range(50):
        frames = tasks[int(drawn.proprioception[row, 0])]
        index = int(drawn.tracked[row, 0])
        for name, tensor in frames.select(torch.tensor([index])).tensors().items():
            found = drawn.tensors()[name][row]
            assert torch.equal(found, tensor if name == "bag" else tensor[0]), name


def test_a_batch_has_its_share_of_the_pool(make_frames: MakeFrames) -> None:
    tasks = make_tasks(make_frames)
    new = make_frames(20, mark=7.0, instruction="something new")
    loader = FrameLoader([(new, 4, 5)], 3, torch.Generator().manual_seed(2))
    loader.pool = (FramePool(tasks).draw, 6)
    for observation, target, labels in loader:
        assert labels.tolist() == [4] * 5 + [BEFORE_STREAM] * 6
        assert len(target.actions) == len(observation) == 11
        for row, mark in enumerate(observation.proprioception[5:, 0].tolist(), start=5):
            assert torch.equal(observation.bags[row], tasks[int(mark)].bag)
        assert torch.equal(observation.bags[:5], new.bag.expand(5, -1))
