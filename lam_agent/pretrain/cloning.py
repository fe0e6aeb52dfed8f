"""The second stage: the whole policy clones the teachers of all tasks, told apart by words."""

from __future__ import annotations

import torch
from torch import nn

from lam_agent.continual.batches import ObservationBatch, TargetBatch
from lam_agent.continual.loss import CloningLoss
from lam_agent.policy.policy import VisualActionPolicy


class MultiTaskCloning(nn.Module):
    """Loss of behaviour cloning with the auxiliary head for positions.

    Args:
        policy: The policy; it is trained in place.
        auxiliary_weight: Weight of the error of the positions.
    """

    def __init__(self, policy: VisualActionPolicy, auxiliary_weight: float) -> None:
        super().__init__()
        self.policy = policy
        self.loss = CloningLoss(policy.normaliser, auxiliary_weight)

    def forward(
        self, observation: ObservationBatch, target: TargetBatch, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch; the labels, which say what task a look is of, are unused."""
        output = self.policy(observation.images, observation.proprioception, observation.bags)
        return {"cloning": self.loss(output, target)}
