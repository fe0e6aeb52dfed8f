"""How worlds are simulated, demonstrations are collected and success is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lam_agent.config.checks import (
    require,
    require_at_least,
    require_decay,
    require_finite,
    require_share,
)


@dataclass(frozen=True)
class SimConfig:
    """The simulation."""

    on_unstable: Literal["raise", "drop"] = "raise"
    """Where a world's physics breaks: stop, or leave the demonstration out and fail the test."""

    engine: Literal["auto", "native", "warp"] = "auto"
    """Physics: native is MuJoCo on CPU cores; warp is mujoco_warp on the policy's device, where the
    pictures are drawn, too; auto: warp on a GPU, else native."""


@dataclass(frozen=True)
class EvalConfig:
    """How success is measured."""

    episodes: int = 50
    """Test episodes for each cell of the success matrix."""

    horizon: int = 200
    """Control steps of an episode (80 a second)."""

    validation_episodes: int = 30
    """Validation episodes for model selection; their starts are disjoint from the test starts."""

    full_matrix: bool = False
    """Also fill the cells that the metrics do not need."""

    def __post_init__(self) -> None:
        require(self.episodes >= 1, "eval.episodes", self.episodes, "at least 1")
        require(self.horizon >= 1, "eval.horizon", self.horizon, "at least 1")
        require(
            self.validation_episodes >= 1,
            "eval.validation-episodes",
            self.validation_episodes,
            "at least 1",
        )


@dataclass(frozen=True)
class CollectConfig:
    """How demonstrations are collected."""

    noise_std: float = 0.2
    """Standard deviation of the noise on the executed action; labels stay the expert's."""

    noise_correlation: float = 0.8
    """Correlation of the noise from one control step to the next; 0 is white noise."""

    noisy_fraction: float = 0.5
    """Share of the episodes that are executed with noise."""

    play_fraction: float = 0.0
    """Share of the episodes that move smoothly at random; labels stay the teacher's."""

    keep_failures: bool = False
    """Whether episodes in which the teacher fails count, too; if not, other starts take their
    place."""

    steps_after_success: int = 100
    """Control steps that are kept after the first success: what a policy sees close to the goal."""

    look_every: int = 4
    """Control steps between two looks of the cameras; actions are kept for every step."""

    batch: int = 64
    """Worlds that are collected at a time."""

    teachers: Path | None = None
    """Folder of teachers that `train-teacher` made, which demonstrate their tasks; none: the
    scripted ones demonstrate all."""

    cache_dir: Path | None = None
    """Where demonstrations are cached; none: `lam_agent` in the user's cache folder."""

    def __post_init__(self) -> None:
        require_finite(self, "collect.")
        require_at_least(0, self, "collect.", "noise_std", "steps_after_success")
        require_decay(self, "collect.", "noise_correlation")
        require_share(self, "collect.", "noisy_fraction", "play_fraction")
        require_at_least(1, self, "collect.", "look_every", "batch")
