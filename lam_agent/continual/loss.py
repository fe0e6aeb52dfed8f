"""The loss of behaviour cloning with an auxiliary head for positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from lam_agent.continual.batches import TargetBatch
from lam_agent.policy.normaliser import Normaliser
from lam_agent.policy.policy import PolicyOutput

_SMOOTH_L1_BETA = 0.02


class CloningLoss(nn.Module):
    """Mean absolute error of the actions plus a weighted error of the tracked positions.

    Args:
        normaliser: The policy's normaliser.
        auxiliary_weight: Weight of the error of the tracked positions.
    """

    def __init__(self, normaliser: Normaliser, auxiliary_weight: float) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.auxiliary_weight = auxiliary_weight

    def forward(self, output: PolicyOutput, target: TargetBatch) -> torch.Tensor:
        """Return the loss, a scalar."""
        error = (output.actions - target.actions).abs().mean(2)  # (B, L)
        action_loss = (error * target.is_inside).sum() / target.is_inside.sum()
        positions = self.normaliser.positions(target.tracked)
        tracked_loss = functional.smooth_l1_loss(output.tracked, positions, beta=_SMOOTH_L1_BETA)
        return action_loss + self.auxiliary_weight * tracked_loss
