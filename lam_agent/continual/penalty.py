"""Quadratic penalties on moving weights that earlier tasks need.

The penalties of all tasks are kept as one importance of each weight and one anchor (Huszár 2018,
"Note on the quadratic penalties in EWC"), so that memory does not grow with the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lam_agent.continual.importance import Importance
from lam_agent.continual.plugin import StrategyPlugin


class PenaltyPlugin(StrategyPlugin):
    """Penalises moving weights that earlier tasks need.

    Args:
        name: Name of the strategy, under which its tensors are kept.
        strength: Weight of the penalty (lambda).
        importance: How much the task that was just learned needs each weight.
    """

    changes_in_training = False

    def __init__(self, name: str, strength: float, importance: Importance) -> None:
        super().__init__()
        self.state_name = name
        self.strength = strength
        self.compute_importance = importance
        self.importance: dict[str, torch.Tensor] = {}
        self.anchor: dict[str, torch.Tensor] = {}

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        if not self.importance:
            return
        penalty = torch.zeros((), device=strategy.device)
        for name, weight in strategy.model.named_parameters():
            if name in self.importance:
                drift = weight - self.anchor[name]
                penalty = penalty + (self.importance[name] * drift.square()).sum()
        strategy.loss = strategy.loss + 0.5 * self.strength * penalty

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        strategy.model.set_dropout(0.0)  # It is of training, not of the likelihood.
        found = self.compute_importance(strategy.model, strategy.seen, strategy.generator)
        strategy.model.set_dropout(strategy.config.train.dropout)
        for name, values in found.items():
            self.importance[name] = self.importance.get(name, torch.zeros_like(values)) + values
        self.anchor = {
            name: weight.detach().clone()
            for name, weight in strategy.model.named_parameters()
            if name in found
        }

    def state(self) -> dict[str, torch.Tensor]:
        """Return importances and anchors as named tensors, for a file."""
        named = {f"importance.{name}": value for name, value in self.importance.items()}
        return named | {f"anchor.{name}": value for name, value in self.anchor.items()}

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Undo `state`."""
        for key, value in state.items():
            kind, name = key.split(".", 1)
            kept = self.importance if kind == "importance" else self.anchor
            kept[name] = value.to(device)
