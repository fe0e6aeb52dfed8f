"""The loss of behaviour cloning with an auxiliary head for positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from lam_agent.continual.batches import TargetBatch
from lam_agent.policy.normaliser import Normaliser
from lam_agent.policy.policy import PolicyOutput

_SMOOTH_L1_BETA = 0.02

_DRIFT_BETA = 0.05
"""Distance of an action from what it once was below which the error is quadratic: a small drift
pulls back little, where the absolute error of a demonstration would shake the weights."""


class CloningLoss(nn.Module):
    """Mean absolute error of the actions plus a weighted error of the tracked positions.

    Replayed frames with outputs have the weighted sum of this error and of that to the outputs:
    dark experience replay (Buzzega et al. 2020, "Dark Experience for General Continual Learning: a
    Strong, Simple Baseline", Eq. 6). Those of tasks from before the stream have the latter alone.

    Args:
        normaliser: The policy's normaliser.
        auxiliary_weight: Weight of the error of the tracked positions.
        outputs_weight: Weight of the error to the outputs (alpha).
        demonstrations_weight: Weight of the error to the demonstration of such a frame (beta).
    """

    def __init__(
        self,
        normaliser: Normaliser,
        auxiliary_weight: float,
        *,
        outputs_weight: float = 0.0,
        demonstrations_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.normaliser = normaliser
        self.auxiliary_weight = auxiliary_weight
        self.outputs_weight = outputs_weight
        self.demonstrations_weight = demonstrations_weight

    def forward(self, output: PolicyOutput, target: TargetBatch) -> torch.Tensor:
        """Return the loss, a scalar."""
        error = (output.actions - target.actions).abs().mean(2)  # (B, L)
        if target.outputs is not None and target.has_outputs is not None:
            drift = functional.smooth_l1_loss(
                output.actions, target.outputs, beta=_DRIFT_BETA, reduction="none"
            ).mean(2)
            share: float | torch.Tensor = self.demonstrations_weight
            if target.is_before is not None:
                share = torch.where(target.is_before, 0.0, share)[:, None]
            weighted = share * error + self.outputs_weight * drift
            error = torch.where(target.has_outputs[:, None], weighted, error)
        action_loss = (error * target.is_inside).sum() / target.is_inside.sum()
        positions = self.normaliser.positions(target.tracked)
        tracked_loss = functional.smooth_l1_loss(output.tracked, positions, beta=_SMOOTH_L1_BETA)
        return action_loss + self.auxiliary_weight * tracked_loss
