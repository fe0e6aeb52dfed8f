"""Experience replay under a real byte budget: copies of old frames, shared evenly by the tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.features import encode_frames
from lam_agent.continual.outputs import outputs_on
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.continual.pool import FramePool
from lam_agent.errors import ConfigError

_BEFORE = "before"
"""Prefix of the names of tensors of tasks from before the stream."""


class ReplayBuffer:
    """Frames of earlier tasks, at most `max_bytes` of them.

    Args:
        max_bytes: Budget for all tasks together.

    Attributes:
        before: Task -> frames, of tasks that the initial weights learned, by the order of names.
        tasks: Frames of tasks of the stream.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.before: dict[str, Frames] = {}
        self.tasks: list[Frames] = []

    @property
    def num_bytes(self) -> int:
        """Bytes that are held now."""
        return sum(frames.num_bytes for frames in [*self.before.values(), *self.tasks])

    def add(self, frames: Frames, generator: torch.Generator) -> None:
        """Keep random frames of a new task; old tasks with more than their share give some up.

        Raises:
            ConfigError: The budget holds not even one frame of each task.
        """
        self._fit(self.before, [*self.tasks, frames], generator)

    def add_before(self, task: str, frames: Frames, generator: torch.Generator) -> None:
        """Do the same with a task from before the stream."""
        self._fit({**self.before, task: frames}, self.tasks, generator)

    def check_room(self, frames: Sequence[Frames]) -> None:
        """Refuse a budget that will not hold a frame of each task.

        Args:
            frames: A frame of each task of the stream, as it will be kept.

        Raises:
            ConfigError: It will not.
        """
        each = [one.num_bytes // len(one) for one in [*self.before.values(), *frames]]
        if sum(each) > self.max_bytes:
            raise self._too_small(each)

    def _too_small(self, each: Sequence[int]) -> ConfigError:
        """Return the error for a budget, given the bytes of a frame of each task."""
        return ConfigError(
            f"replay.memory-mb is {self.max_bytes / 1e6:g}; {len(each)} tasks need at least "
            f"{sum(each) / 1e6:.2g}."
        )

    def _fit(
        self, before: Mapping[str, Frames], stream: Sequence[Frames], generator: torch.Generator
    ) -> None:
        """Keep as many frames of each task as go into the budget."""
        names = sorted(before)
        tasks = [*(before[name] for name in names), *stream]
        each = [frames.num_bytes // len(frames) for frames in tasks]  # Bytes of a frame.
        share = even_share([frames.num_bytes for frames in tasks], self.max_bytes)
        counts = [share // size for size in each]
        if min(counts) < 1:
            raise self._too_small(each)
        kept = [old.sample(n, generator) for old, n in zip(tasks, counts, strict=True)]
        self.before = dict(zip(names, kept, strict=False))
        self.tasks = kept[len(names) :]


def even_share(sizes: Sequence[int], budget: int) -> int:
    """Return how much each may have at most, so that all together have no more than a budget.

    Who needs less leaves the rest to the others.

    Args:
        sizes: What each needs.
        budget: What there is.
    """
    left, waiting = budget, len(sizes)
    for size in sorted(sizes):
        if size > left // waiting:
            return left // waiting
        left, waiting = left - size, waiting - 1
    return max(sizes)


class ReplayPlugin(StrategyPlugin):
    """Fills a share of each batch with frames of earlier tasks.

    Args:
        buffer: The buffer, filled after each experience.
        batch_fraction: Share of replayed frames in a batch, all earlier tasks together.
        keeps_features: Whether the buffer holds the features of frozen encoders, in float16, in
            place of images.
        keeps_outputs: Whether the buffer holds, in float16, what the policy does on its frames when
            it has just learned their task.
        pretraining_fraction: Share of a batch of all tasks from before the stream together, where
            the buffer holds some.
    """

    state_name = "replay"
    changes_in_training = False

    def __init__(
        self,
        buffer: ReplayBuffer,
        batch_fraction: float,
        keeps_features: bool = False,
        *,
        keeps_outputs: bool = False,
        pretraining_fraction: float = 0.0,
    ) -> None:
        super().__init__()
        self.buffer = buffer
        self.batch_fraction = batch_fraction
        self.keeps_features = keeps_features
        self.keeps_outputs = keeps_outputs
        self.pretraining_fraction = pretraining_fraction
        self._seen: list[Frames] = []
        self._pool: FramePool | None = None

    @property
    def replay_bytes(self) -> int:
        """Bytes of the buffer."""
        return self.buffer.num_bytes

    def kept(self) -> tuple[Mapping[str, Frames], Sequence[Frames]]:
        """Return the frames of the buffer."""
        return self.buffer.before, self.buffer.tasks

    def check_room(self, strategy: Any, frames: Sequence[Frames]) -> None:
        """Refuse a buffer that will not hold a frame of each task.

        Raises:
            ConfigError: It will not.
        """
        if strategy.model.is_encoder_frozen:
            frames = [replace(one, features=encode_frames(strategy.model, one)) for one in frames]
        self.buffer.check_room([self._kept(strategy, one) for one in frames])

    def remember(
        self, strategy: Any, task: str, frames: Frames, generator: torch.Generator
    ) -> None:
        """Keep frames of a task from before the stream in the buffer."""
        kept = self._kept(strategy, frames) if frames.images else frames
        if not self.keeps_outputs:
            kept = replace(kept, outputs=None)
        self.buffer.add_before(task, kept, generator)

    def prepare(self, view: Callable[[Frames], Frames]) -> None:
        """Take the buffer's frames as training draws them; what is computed is not kept in it."""
        self._seen = [view(replace(frames)) for frames in self.buffer.tasks]
        if self.buffer.before:
            self._pool = FramePool([view(replace(item)) for item in self.buffer.before.values()])

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        loader = strategy.dataloader
        frames, label, count = loader.sources[0]
        earlier = round(count * self.pretraining_fraction) if self._pool else 0
        old = []
        if self.buffer.tasks:
            replayed = max(len(self.buffer.tasks), round(count * self.batch_fraction))
            old = split_evenly(self._seen, replayed)
        new = count - earlier - sum(share for _, _, share in old)
        loader.sources = [(frames, label, max(1, new)), *old]
        loader.pool = (self._pool.draw if self._pool else None, earlier)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        self.buffer.add(self._kept(strategy, strategy.frames, strategy.seen), strategy.generator)
        self._seen = []
        self._pool = None

    def _kept(self, strategy: Any, frames: Frames, seen: Frames | None = None) -> Frames:
        """Return frames as the buffer holds them, with what the policy does on them now.

        Args:
            strategy: The strategy.
            frames: The frames, with images.
            seen: The same as training draws them, with altered copies perhaps.
        """
        if frames.features is None or not self.keeps_features:
            seen = frames if frames.features is None else frames.without_images()
            kept = frames.without_features()
        else:
            seen = seen or frames.without_images()
            assert seen.features is not None
            kept = replace(seen, features=seen.features.half())
        if self.keeps_outputs:
            kept = replace(kept, outputs=outputs_on(strategy.model, seen).half())
        return kept

    def state(self) -> dict[str, torch.Tensor]:
        """Return the buffer as named tensors, for a file."""
        named = {
            f"{_BEFORE}.{name}/{task}": tensor
            for task, frames in self.buffer.before.items()
            for name, tensor in frames.tensors().items()
        }
        named |= {
            f"{index}.{name}": tensor
            for index, frames in enumerate(self.buffer.tasks)
            for name, tensor in frames.tensors().items()
        }
        return {name: tensor.contiguous() for name, tensor in named.items()}

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Undo `state`; the frames stay on the CPU, where batches are drawn."""
        tasks: dict[int, dict[str, torch.Tensor]] = {}
        before: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in state.items():
            group, _, name = key.partition(".")
            if group == _BEFORE:
                name, _, task = name.partition("/")
                before.setdefault(task, {})[name] = tensor
            else:
                tasks.setdefault(int(group), {})[name] = tensor
        self.buffer.tasks = [Frames.from_tensors(tasks[index]) for index in sorted(tasks)]
        self.buffer.before = {task: Frames.from_tensors(before[task]) for task in sorted(before)}


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

    def take_earlier(self, earlier: Sequence[Frames]) -> None:
        """Take all earlier frames."""
        self.earlier[:] = earlier

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
