"""Batches of frames: what Avalanche's loop moves to the device and hands to model and loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from lam_agent.episodes import EpisodeSet
from lam_agent.policy.instruction import bag_of_words

BEFORE_STREAM = -1
"""Task label of frames of tasks that the initial weights learned."""


@dataclass
class Frames:
    """Looks of one task as tensors that are indexed together.

    Attributes:
        images: Camera -> RGB, uint8 (F, H, W, 3).
        proprioception: float32 (F, 4).
        tracked: Object and goal position, float32 (F, 6), metres.
        actions: Clean action chunks, float32 (F, L, 4).
        is_inside: Whether each action is inside its episode, bool (F, L).
        bag: Bag of words of the instruction, float32 (NUM_BUCKETS,).
        features: What frozen encoders see, float32 or float16 (F, S); None where not computed.
        outputs: Of replayed frames, the chunks that the policy gave when it had just learned their
            task, float32 or float16 (F, L, 4).
    """

    images: Mapping[str, torch.Tensor]
    proprioception: torch.Tensor
    tracked: torch.Tensor
    actions: torch.Tensor
    is_inside: torch.Tensor
    bag: torch.Tensor
    features: torch.Tensor | None = None
    outputs: torch.Tensor | None = None

    @classmethod
    def from_episodes(cls, episodes: EpisodeSet, instruction: str, chunk_length: int) -> Frames:
        """Build frames from episodes; the images are not copied."""
        actions, is_inside = episodes.action_chunks(chunk_length)
        return cls(
            images=episodes.images,
            proprioception=episodes.proprioception,
            tracked=episodes.tracked,
            actions=actions,
            is_inside=is_inside,
            bag=bag_of_words(instruction),
        )

    def __len__(self) -> int:
        return len(self.proprioception)

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors that hold a row for each frame."""
        rows = (*self.images.values(), *self._rows())
        return sum(tensor.numel() * tensor.element_size() for tensor in rows)

    def select(self, index: torch.Tensor) -> Frames:
        """Return copies of the indexed frames."""
        return Frames(
            images={camera: images[index] for camera, images in self.images.items()},
            proprioception=self.proprioception[index],
            tracked=self.tracked[index],
            actions=self.actions[index],
            is_inside=self.is_inside[index],
            bag=self.bag.clone(),
            **{name: rows[index] for name, rows in self._optional().items()},
        )

    def sample(self, count: int, generator: torch.Generator) -> Frames:
        """Return copies of random frames, `count` at most, in their order."""
        order = torch.randperm(len(self), generator=generator)[:count]
        return self.select(order.sort().values)

    @classmethod
    def concatenate(cls, parts: Sequence[Frames]) -> Frames:
        """Return copies of all frames, with the instruction of the first; all have equal fields."""
        named = [frames.tensors() for frames in parts]
        joined = {name: torch.cat([tensors[name] for tensors in named]) for name in named[0]}
        return cls.from_tensors({**joined, "bag": parts[0].bag})

    def without_images(self) -> Frames:
        """Return the same frames with features alone; the tensors are not copied."""
        return replace(self, images={})

    def without_features(self) -> Frames:
        """Return the same frames with images alone; the tensors are not copied."""
        return replace(self, features=None)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by name, for a file."""
        named = {f"images.{camera}": images for camera, images in self.images.items()}
        for name in ("proprioception", "tracked", "actions", "is_inside", "bag"):
            named[name] = getattr(self, name)
        return named | self._optional()

    @classmethod
    def from_tensors(cls, named: Mapping[str, torch.Tensor]) -> Frames:
        """Undo `tensors`."""
        prefix = "images."
        images = {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
        return cls(images, **{k: v for k, v in named.items() if not k.startswith(prefix)})

    def _rows(self) -> tuple[torch.Tensor, ...]:
        rows = (self.proprioception, self.tracked, self.actions, self.is_inside)
        return (*rows, *self._optional().values())

    def _optional(self) -> dict[str, torch.Tensor]:
        """Return those that not all frames have, by name, where there are some."""
        optional = {"features": self.features, "outputs": self.outputs}
        return {name: rows for name, rows in optional.items() if rows is not None}


@dataclass
class ObservationBatch:
    """What the policy sees, in images or in features; Avalanche's `mb_x`."""

    images: dict[str, torch.Tensor]
    proprioception: torch.Tensor
    bags: torch.Tensor
    features: torch.Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ObservationBatch:
        """Move all tensors."""
        return ObservationBatch(
            {k: v.to(device, non_blocking=non_blocking) for k, v in self.images.items()},
            self.proprioception.to(device, non_blocking=non_blocking),
            self.bags.to(device, non_blocking=non_blocking),
            None if self.features is None else self.features.to(device, non_blocking=non_blocking),
        )

    def __getitem__(self, index: slice) -> ObservationBatch:
        return ObservationBatch(
            {camera: images[index] for camera, images in self.images.items()},
            self.proprioception[index],
            self.bags[index],
            None if self.features is None else self.features[index],
        )

    def __len__(self) -> int:
        return len(self.proprioception)


@dataclass
class TargetBatch:
    """What the policy should output; Avalanche's `mb_y`.

    Attributes:
        actions: Of the demonstrations, (B, L, 4).
        is_inside: Whether each action is inside its episode, bool (B, L).
        tracked: Object and goal position, (B, 6), metres.
        outputs: What the policy itself once gave, (B, L, 4), where `has_outputs`, bool (B,).
        has_outputs: Whether there is such an output, bool (B,).
        is_before: Whether the frame is of a task from before the stream, bool (B,); the three are
            None where no frame has an output.
    """

    actions: torch.Tensor
    is_inside: torch.Tensor
    tracked: torch.Tensor
    outputs: torch.Tensor | None = None
    has_outputs: torch.Tensor | None = None
    is_before: torch.Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TargetBatch:
        """Move all tensors."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def __getitem__(self, index: slice) -> TargetBatch:
        return self._each(lambda tensor: tensor[index])

    def _each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> TargetBatch:
        optional = (self.outputs, self.has_outputs, self.is_before)
        return TargetBatch(
            function(self.actions),
            function(self.is_inside),
            function(self.tracked),
            *(None if tensor is None else function(tensor) for tensor in optional),
        )


MiniBatch = tuple[ObservationBatch, TargetBatch, torch.Tensor]


def join(parts: list[tuple[Frames, int]]) -> MiniBatch:
    """Concatenate selected frames of several tasks, each with its task label, into one batch.

    The frames have all features or have all images; features become float32.
    """
    frames = [part for part, _ in parts]
    features = [part.features.float() for part in frames if part.features is not None]
    labels = [torch.full((len(part),), label) for part, label in parts]
    observation = ObservationBatch(
        images={
            camera: torch.cat([part.images[camera] for part in frames])
            for camera in frames[0].images
        },
        proprioception=torch.cat([part.proprioception for part in frames]),
        bags=torch.cat([part.bag.expand(len(part), -1) for part in frames]),
        features=torch.cat(features) if features else None,
    )
    target = TargetBatch(
        actions=torch.cat([part.actions for part in frames]),
        is_inside=torch.cat([part.is_inside for part in frames]),
        tracked=torch.cat([part.tracked for part in frames]),
        **_outputs(frames, [label == BEFORE_STREAM for _, label in parts]),
    )
    return observation, target, torch.cat(labels)


def _outputs(frames: list[Frames], is_before: list[bool]) -> dict[str, torch.Tensor]:
    """Return the outputs of those frames that have some, 0 for the others, and which these are."""
    if all(part.outputs is None for part in frames):
        return {}
    parts = [
        torch.zeros_like(part.actions) if part.outputs is None else part.outputs.float()
        for part in frames
    ]
    has = [torch.full((len(part),), part.outputs is not None) for part in frames]
    before = [torch.full((len(part),), flag) for part, flag in zip(frames, is_before, strict=True)]
    return {
        "outputs": torch.cat(parts),
        "has_outputs": torch.cat(has),
        "is_before": torch.cat(before),
    }


DrawFrames = Callable[[int, torch.Generator], Frames]
"""Returns as many frames as asked for; their `bag` may have a row for each of them."""


class FrameLoader:
    """Endless-looking loader of one experience: `num_batches` random batches of its sources.

    Args:
        sources: Frames, task label and frames a batch of each source.
        num_batches: Batches of one pass.
        generator: Source of the draws, on the CPU.

    Attributes:
        pool: Draws frames of tasks from before the stream, whose label is `BEFORE_STREAM`; and how
            many of them a batch has.
    """

    def __init__(
        self,
        sources: list[tuple[Frames, int, int]],
        num_batches: int,
        generator: torch.Generator,
    ) -> None:
        self.sources = sources
        self.num_batches = num_batches
        self.generator = generator
        self.pool: tuple[DrawFrames | None, int] = (None, 0)

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[MiniBatch]:
        for _ in range(self.num_batches):
            parts = []
            for frames, label, count in self.sources:
                index = torch.randint(len(frames), (count,), generator=self.generator)
                parts.append((frames.select(index), label))
            draw, count = self.pool
            if draw is not None and count:
                parts.append((draw(count, self.generator), BEFORE_STREAM))
            yield join(parts)
