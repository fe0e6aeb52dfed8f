"""Experience replay under a real byte budget: copies of old frames, shared evenly by the tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.outputs import outputs_on
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.errors import ConfigError


class ReplayBuffer:
    """Frames of earlier tasks, at most `max_bytes` of them.

    Args:
        max_bytes: Budget for all tasks together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.tasks: list[Frames] = []

    @property
    def num_bytes(self) -> int:
        """Bytes that are held now."""
        return sum(frames.num_bytes for frames in self.tasks)

    def add(self, frames: Frames, generator: torch.Generator) -> None:
        """Keep random frames of a new task; the old tasks give up their share for it.

        Raises:
            ConfigError: The budget holds not even one frame of each task.
        """
        share = self.max_bytes // (len(self.tasks) + 1)
        count = share // (frames.num_bytes // len(frames))
        if count < 1:
            raise ConfigError(
                f"replay.memory-mb is {self.max_bytes / 1e6:g}; {len(self.tasks) + 1} tasks need "
                f"at least {(len(self.tasks) + 1) * frames.num_bytes / len(frames) / 1e6:.2g}."
            )
        self.tasks = [self._sample(old, count, generator) for old in self.tasks]
        self.tasks.append(self._sample(frames, count, generator))

    @staticmethod
    def _sample(frames: Frames, count: int, generator: torch.Generator) -> Frames:
        order = torch.randperm(len(frames), generator=generator)[:count]
        return frames.select(order.sort().values)


class ReplayPlugin(StrategyPlugin):
    """Fills a share of each batch with frames of earlier tasks.

    Args:
        buffer: The buffer, filled after each experience.
        batch_fraction: Share of replayed frames in a batch, all earlier tasks together.
        keeps_features: Whether the buffer holds the features of frozen encoders, in float16, in
            place of images.
        keeps_outputs: Whether the buffer holds, in float16, what the policy does on its frames when
            it has just learned their task.
    """

    state_name = "replay"

    def __init__(
        self,
        buffer: ReplayBuffer,
        batch_fraction: float,
        keeps_features: bool = False,
        *,
        keeps_outputs: bool = False,
    ) -> None:
        super().__init__()
        self.buffer = buffer
        self.batch_fraction = batch_fraction
        self.keeps_features = keeps_features
        self.keeps_outputs = keeps_outputs
        self._seen: list[Frames] = []

    def prepare(self, view: Callable[[Frames], Frames]) -> None:
        """Take the buffer's frames as training draws them; what is computed is not kept in it."""
        self._seen = [view(replace(frames)) for frames in self.buffer.tasks]

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        if not self.buffer.tasks:
            return
        loader = strategy.dataloader
        frames, label, count = loader.sources[0]
        replayed = max(len(self.buffer.tasks), round(count * self.batch_fraction))
        loader.sources = [
            (frames, label, max(1, count - replayed)),
            *split_evenly(self._seen, replayed),
        ]

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        frames: Frames = strategy.frames
        if self.keeps_features and frames.features is not None:
            kept = replace(frames, images={}, features=frames.features.half())
        else:
            kept = frames.without_features()
        if self.keeps_outputs:
            kept = replace(kept, outputs=outputs_on(strategy.model, strategy.seen).half())
        self.buffer.add(kept, strategy.generator)
        self._seen = []

    def state(self) -> dict[str, torch.Tensor]:
        """Return the buffer as named tensors, for a file."""
        return {
            f"{index}.{name}": tensor.contiguous()
            for index, frames in enumerate(self.buffer.tasks)
            for name, tensor in frames.tensors().items()
        }

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Undo `state`; the frames stay on the CPU, where batches are drawn."""
        grouped: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in state.items():
            index, name = key.split(".", 1)
            grouped.setdefault(int(index), {})[name] = tensor
        self.buffer.tasks = [Frames.from_tensors(grouped[index]) for index in sorted(grouped)]


class CumulativePlugin(StrategyPlugin):
    """Trains on all tasks so far, in equal shares: an upper bound that keeps all data.

    Its data are not among its tensors: a run that goes on has the demonstrations anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self.earlier: list[Frames] = []
        self._seen: list[Frames] = []

    @property
    def num_bytes(self) -> int:
        """Bytes of all earlier frames."""
        return sum(frames.num_bytes for frames in self.earlier)

    def prepare(self, view: Callable[[Frames], Frames]) -> None:
        """Take all earlier frames as training draws them."""
        self._seen = [view(frames) for frames in self.earlier]

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        loader = strategy.dataloader
        frames, label, count = loader.sources[0]
        share = max(1, count // (len(self._seen) + 1))
        old = split_evenly(self._seen, count - share)
        loader.sources = [(frames, label, share), *old]

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        self.earlier.append(strategy.frames)


def split_evenly(tasks: list[Frames], count: int) -> list[tuple[Frames, int, int]]:
    """Return loader sources that share `count` frames of a batch as evenly as can be."""
    if not tasks:
        return []
    each, rest = divmod(count, len(tasks))
    return [(frames, i, max(1, each + (i < rest))) for i, frames in enumerate(tasks)]
