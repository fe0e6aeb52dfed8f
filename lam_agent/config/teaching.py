"""How a teacher is trained."""

from __future__ import annotations

from dataclasses import dataclass

from lam_agent.config.checks import (
    require_at_least,
    require_at_most,
    require_decay,
    require_finite,
    require_positive,
    require_share,
)


@dataclass(frozen=True)
class TeachingConfig:
    """How reinforcement learning trains a teacher (PPO, Schulman et al. 2017)."""

    steps: int = 3_000_000
    """Environment steps of all worlds together, at most; rounded up to whole rollouts."""

    worlds: int = 64
    """Worlds that are stepped at a time."""

    target_success: float = 0.95
    """Share of the validation episodes that must succeed, at some step and at the last one, for
    training to end early."""

    validation_episodes: int = 50
    """Validation episodes, by which the weights are chosen."""

    validate_every: int = 100_000
    """Environment steps between two validations."""

    rollout: int = 200
    """Control steps of each world between two updates."""

    batch_size: int = 1600
    """Steps in a gradient step."""

    epochs: int = 10
    """Times that each step of a rollout is learned from."""

    learning_rate: float = 3e-4
    """Learning rate of Adam."""

    discount: float = 0.99
    """Discount of the reward from one control step to the next."""

    width: int = 128
    """Units of each of the two hidden layers."""

    def __post_init__(self) -> None:
        require_finite(self, "teaching.")
        counts = ("steps", "worlds", "validation_episodes", "validate_every", "epochs", "width")
        require_at_least(1, self, "teaching.", *counts)
        require_at_least(2, self, "teaching.", "rollout", "batch_size")
        require_at_most(4096, self, "teaching.", "width")
        require_share(self, "teaching.", "target_success")
        require_positive(self, "teaching.", "learning_rate")
        require_decay(self, "teaching.", "discount")
