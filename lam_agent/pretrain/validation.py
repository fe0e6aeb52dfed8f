"""Validation of a policy in pretraining: rollouts on some of its tasks, in their own looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lam_agent.config import SimConfig
from lam_agent.evaluation.evaluate import Evaluation, evaluate
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.types import Progress


def spread(tasks: Sequence[str], count: int) -> tuple[str, ...]:
    """Return `count` tasks spread evenly over all, or all where there are no more."""
    indices = np.linspace(0, len(tasks) - 1, min(count, len(tasks))).round().astype(int)
    return tuple(tasks[i] for i in indices)


def validate(
    policy: VisualActionPolicy,
    tasks: Sequence[str],
    *,
    episodes: int,
    horizon: int,
    threads: int | None,
    progress: Progress,
) -> list[Evaluation]:
    """Roll a policy out on the validation starts of tasks; a broken world counts as failed."""
    return [
        evaluate(
            policy,
            task,
            episodes=episodes,
            split="validation",
            horizon=horizon,
            threads=threads,
            sim=SimConfig(on_unstable="drop"),
            progress=progress,
        )
        for task in tasks
    ]
