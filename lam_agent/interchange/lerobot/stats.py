"""Statistics of a LeRobot dataset, by which its policies normalise what they see and do.

LeRobot takes those of pictures from a sample of them; here they are of all, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lam_agent.interchange.entries import Array
from lam_agent.interchange.lerobot.features import Feature

_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


class RunningStats:
    """Statistics of episodes that are seen one after the other, and of all of them.

    Args:
        features: What a frame holds.
    """

    def __init__(self, features: Mapping[str, Feature]) -> None:
        self._features = features
        self._numbers: dict[str, list[Array]] = {}
        self._levels: dict[str, Array] = {}
        self._num_frames = 0

    def add(self, values: Mapping[str, Array]) -> dict[str, dict[str, list[Any]]]:
        """Return the statistics of an episode, and keep what those of all of them need.

        Args:
            values: A row for each frame of every feature.
        """
        found = {}
        for key, feature in self._features.items():
            frames = len(values[key])
            if feature.is_picture:
                levels = count_levels(values[key])
                self._levels[key] = self._levels.get(key, 0) + levels
                found[key] = picture_stats(levels, frames)
            else:
                self._numbers.setdefault(key, []).append(values[key])
                found[key] = number_stats(values[key])
        self._num_frames += frames
        return found

    def total(self) -> dict[str, dict[str, list[Any]]]:
        """Return the statistics of all episodes."""
        return {
            key: picture_stats(self._levels[key], self._num_frames)
            if feature.is_picture
            else number_stats(np.concatenate(self._numbers[key]))
            for key, feature in self._features.items()
        }


def number_stats(values: Array) -> dict[str, list[Any]]:
    """Return the statistics of each entry.

    Args:
        values: A row for each frame, shape (T, D) or (T,).

    Returns:
        `min`, `max`, `mean`, `std` and quantiles, D numbers each, and `count`.
    """
    values = values.reshape(len(values), -1).astype(np.float64)
    stats = {
        "min": values.min(0),
        "max": values.max(0),
        "mean": values.mean(0),
        "std": values.std(0),
        "count": np.array([len(values)]),
        **{name: np.quantile(values, share, axis=0) for name, share in _QUANTILES.items()},
    }
    return {name: array.tolist() for name, array in stats.items()}


def count_levels(pictures: Array) -> Array:
    """Return how often each level of each colour occurs, shape (3, 256), int64.

    Args:
        pictures: RGB, shape (T, H, W, 3), uint8.
    """
    return np.stack(
        [np.bincount(pictures[..., colour].reshape(-1), minlength=256) for colour in range(3)]
    )


def picture_stats(levels: Array, count: int) -> dict[str, list[Any]]:
    """Return the statistics of each colour, which is from 0 to 1.

    Args:
        levels: How often each level of each colour occurs, shape (3, 256).
        count: Number of pictures.

    Returns:
        `min`, `max`, `mean`, `std` and quantiles, of shape (3, 1, 1) each, and `count`.
    """
    level = np.arange(256) / 255
    shares = levels / levels.sum(1, keepdims=True)  # (3, 256)
    below = shares.cumsum(1)
    mean = shares @ level
    stats = {
        "min": level[(levels > 0).argmax(1)],
        "max": level[255 - (levels[:, ::-1] > 0).argmax(1)],
        "mean": mean,
        "std": np.sqrt((shares * (level - mean[:, None]) ** 2).sum(1)),
        **{name: level[(below >= share).argmax(1)] for name, share in _QUANTILES.items()},
    }
    return {
        **{name: array.reshape(3, 1, 1).tolist() for name, array in stats.items()},
        "count": [count],
    }
