"""The task stream as an Avalanche benchmark of our frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.batches import Frames, MiniBatch, join

import_avalanche()

from avalanche.benchmarks import benchmark_from_datasets, with_task_labels  # noqa: E402
from avalanche.benchmarks.utils import AvalancheDataset  # noqa: E402
from avalanche.benchmarks.utils.data_attribute import DataAttribute  # noqa: E402


class FrameDataset(Dataset[MiniBatch]):
    """Frames of one task as a torch dataset: one look an item.

    Our strategies index the tensors directly; this is what other Avalanche code reads.
    """

    def __init__(self, frames: Frames, label: int) -> None:
        self.frames = frames
        self.label = label

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> MiniBatch:
        return join([(self.frames.select(torch.tensor([index])), self.label)])


def make_benchmark(visits: Sequence[Frames]) -> Any:
    """Build the benchmark of a stream: one experience a visit, with its position as task label.

    Args:
        visits: Frames of each visit, in the order of the stream.

    Returns:
        An Avalanche benchmark whose `train_stream` yields the experiences.
    """
    datasets = []
    for label, frames in enumerate(visits):
        labels = DataAttribute([label] * len(frames), "targets_task_labels", use_in_getitem=True)
        datasets.append(AvalancheDataset([FrameDataset(frames, label)], data_attributes=[labels]))
    return with_task_labels(benchmark_from_datasets(train=datasets))
