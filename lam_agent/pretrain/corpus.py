"""The corpus: looks of many tasks in memory, and draws of batches and of pairs of looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames, MiniBatch, join
from lam_agent.demonstrations.load import load_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.progress import RunProgress
from lam_envs.tasks.registry import make_task


@dataclass
class LookPairs:
    """Two looks of the same worlds, one after the other.

    Attributes:
        first: Camera -> RGB, uint8 (B, H, W, 3).
        second: The same, one look later.
        moved: By how much proprioception changed between them, float32 (B, 4).
    """

    first: dict[str, torch.Tensor]
    second: dict[str, torch.Tensor]
    moved: torch.Tensor

    def to(self, device: torch.device) -> LookPairs:
        """Move all tensors."""
        return LookPairs(
            {camera: images.to(device) for camera, images in self.first.items()},
            {camera: images.to(device) for camera, images in self.second.items()},
            self.moved.to(device),
        )


@dataclass(frozen=True)
class _Source:
    """Looks of one task, and which of them have another look after them in their episode."""

    frames: Frames
    with_next: torch.Tensor


class Corpus:
    """Looks of many tasks, all of them drawn equally often.

    Args:
        episodes: Task -> its episodes.
        chunk_length: Actions of a chunk.
        num_cached: Tasks whose episodes were read from the cache.
    """

    def __init__(
        self, episodes: Mapping[str, EpisodeSet], chunk_length: int, num_cached: int = 0
    ) -> None:
        self.num_cached = num_cached
        self._sources = [
            _Source(
                Frames.from_episodes(item, make_task(task).instruction, chunk_length),
                _with_next(item),
            )
            for task, item in episodes.items()
        ]

    @property
    def num_looks(self) -> int:
        """Number of looks of all tasks."""
        return sum(len(source.frames) for source in self._sources)

    def batch(self, size: int, generator: torch.Generator) -> MiniBatch:
        """Draw labelled looks of random tasks.

        Args:
            size: Number of looks.
            generator: Source of the draws, on the CPU.
        """
        parts = []
        for label, count in self._draw_tasks(size, generator):
            frames = self._sources[label].frames
            index = torch.randint(len(frames), (count,), generator=generator)
            parts.append((frames.select(index), label))
        return join(parts)

    def pairs(self, size: int, generator: torch.Generator) -> LookPairs:
        """Draw pairs of successive looks of random tasks, without labels."""
        first, second = [], []
        for label, count in self._draw_tasks(size, generator):
            source = self._sources[label]
            draw = torch.randint(len(source.with_next), (count,), generator=generator)
            index = source.with_next[draw]
            first.append(source.frames.select(index))
            second.append(source.frames.select(index + 1))
        return LookPairs(
            _pictures(first),
            _pictures(second),
            torch.cat([f.proprioception for f in second])
            - torch.cat([f.proprioception for f in first]),
        )

    def _draw_tasks(self, size: int, generator: torch.Generator) -> list[tuple[int, int]]:
        """Return tasks and how many looks of each; every task is as likely."""
        drawn = torch.randint(len(self._sources), (size,), generator=generator)
        counts = torch.bincount(drawn, minlength=len(self._sources)).tolist()
        return [(label, count) for label, count in enumerate(counts) if count]


def load_corpus(config: RunConfig, progress: RunProgress) -> Corpus:
    """Collect the episodes of all tasks, or read them from the cache."""
    episodes: dict[str, EpisodeSet] = {}
    num_cached = 0
    for task in config.task_stream:
        with progress.phase(f"collecting {task}") as update:
            episodes[task], is_cached = load_demonstrations(task, config, update)
        num_cached += is_cached
    return Corpus(episodes, config.policy.chunk_length, num_cached)


def _with_next(episodes: EpisodeSet) -> torch.Tensor:
    """Return the looks that are not the last of their episode, shape (n,), int64."""
    episode = torch.searchsorted(episodes.episode_start, episodes.look_step, right=True)
    return (episode[1:] == episode[:-1]).nonzero()[:, 0]


def _pictures(parts: Sequence[Frames]) -> dict[str, torch.Tensor]:
    return {
        camera: torch.cat([part.images[camera] for part in parts]) for camera in parts[0].images
    }
