"""Child seeds: every random draw of a run has a named seed of its own.

Starts of validation and test episodes depend only on the task and the episode, so every row of
the success matrix, every strategy and every run measures the same starts. Demonstrations, and the
episodes in which a teacher is trained, depend on a seed too. The splits never share a seed.
"""

from __future__ import annotations

import zlib
from typing import Literal

import numpy as np
import torch

Split = Literal["demonstration", "validation", "test", "teaching"]

_SPLIT_KEYS: dict[Split, int] = {"demonstration": 1, "validation": 2, "test": 3, "teaching": 4}
_ROOT = 20_220_917


def _word_key(word: str) -> int:
    """Return a stable number for a word."""
    return zlib.crc32(word.encode())


def start_seeds(
    task: str, split: Split, count: int, *, seed: int = 0, first: int = 0
) -> list[np.random.SeedSequence]:
    """Return the seeds of the first `count` start states of a task in a split.

    Args:
        task: Name of the task.
        split: Which starts. Only demonstrations and teaching depend on `seed`.
        count: Number of episodes.
        seed: Seed of the run.
        first: Number of the first episode.
    """
    run_key = seed if split in ("demonstration", "teaching") else 0
    return [
        np.random.SeedSequence((_ROOT, _SPLIT_KEYS[split], _word_key(task), run_key, episode))
        for episode in range(first, first + count)
    ]


def child_seed(seed: int, *names: str | int) -> int:
    """Return the 63-bit child seed of a run's seed for a purpose, such as `("train", 2)`."""
    keys = [_word_key(name) if isinstance(name, str) else name for name in names]
    words = np.random.SeedSequence((_ROOT, seed, *keys)).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU generator for a purpose."""
    return torch.Generator().manual_seed(child_seed(seed, *names))
