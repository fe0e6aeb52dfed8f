"""Published numbers that may stand beside ours, with what is different about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Numbers of one source.

    Attributes:
        setting: What was measured, where, and how it differs from a run of this project.
        header: Column titles.
        rows: Method and its numbers.
    """

    setting: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


PUBLISHED: Sequence[Published] = (
    Published(
        "Continual World CW10 (Wolczyk et al. 2021; behaviour cloning: Wolczyk et al. 2022): "
        "reinforcement learning (SAC) from states, 1 M steps a task, no cameras",
        ("method", "average success", "forgetting"),
        (
            ("fine-tuning", "0.10", "0.75"),
            ("EWC", "0.64", "0.06"),
            ("PackNet", "0.84", "-0.01"),
            ("behaviour cloning of old actors", "0.84", "0.02"),
        ),
    ),
    Published(
        "Continual World CW20 (the same ten tasks twice): reinforcement learning (SAC) from states",
        ("method", "average success"),
        (
            ("fine-tuning", "0.055"),
            ("EWC", "0.60"),
            ("PackNet", "0.80"),
            ("ClonEx-SAC", "0.87"),
        ),
    ),
    Published(
        "LIBERO (Liu et al. 2023), AUC: imitation from cameras, another simulator, other tasks, "
        "policies trained from scratch",
        ("method", "long", "spatial", "object", "goal"),
        (
            ("sequential", "0.15", "0.20", "0.26", "0.22"),
            ("experience replay", "0.32", "0.56", "0.44", "0.49"),
            ("EWC", "0.02", "0.06", "0.16", "0.06"),
            ("PackNet", "0.25", "0.63", "0.60", "0.75"),
            ("multitask (upper bound)", "0.48", "0.83", "0.54", "0.80"),
        ),
    ),
)
