"""Frames of many tasks as one: a batch has some of them, each of a task that is drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from lam_agent.continual.batches import Frames


class FramePool:
    """Frames of tasks that are too many for each to have a frame in every batch.

    Args:
        tasks: Frames of each task, one or more; all have pictures, or all have features.
    """

    def __init__(self, tasks: Sequence[Frames]) -> None:
        self._bags = torch.stack([frames.bag for frames in tasks])  # (tasks, words)
        self._frames = Frames.concatenate(tasks)
        self._counts = torch.tensor([len(frames) for frames in tasks])
        self._first = self._counts.cumsum(0) - self._counts

    def draw(self, count: int, generator: torch.Generator) -> Frames:
        """Draw frames, all tasks equally often; their `bag` has a row for each of them.

        Args:
            count: Number of frames.
            generator: Source of the draws, on the CPU.
        """
        task = torch.randint(len(self._counts), (count,), generator=generator)
        share = torch.rand(count, dtype=torch.float64, generator=generator)
        index = self._first[task] + (share * self._counts[task]).long()
        return replace(self._frames.select(index), bag=self._bags[task])
