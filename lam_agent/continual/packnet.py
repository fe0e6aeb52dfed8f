"""PackNet: each task takes some weights for itself, which no later task changes.

Source: Mallya and Lazebnik 2018, "PackNet: Adding Multiple Tasks to a Single Network by Iterative
Pruning". An experience has two phases. In the dense one all weights that no task owns are trained.
Then, in each tensor, those that moved farthest become the task's; the others go back to where
they were before the stream (the paper's go to zero), and the task's are trained further.

A task that comes again has fewer weights left to choose from: it takes new ones only if more of its
validation episodes succeed by them than by those that it has.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from lam_agent.config import MAX_PACKS
from lam_agent.continual.plugin import StrategyPlugin
from lam_agent.errors import ConfigError
from lam_agent.policy.packs import TaskPacks
from lam_agent.policy.policy import VisualActionPolicy


class PackNetPlugin(StrategyPlugin):
    """Trains a policy with packs; who owns what is kept in the policy.

    Args:
        share: Share of each tensor that a task takes.
        dense_steps: Gradient steps of the dense phase.
    """

    def __init__(self, share: float, dense_steps: int) -> None:
        super().__init__()
        self.share = share
        self.dense_steps = dense_steps
        self._task = 0
        self._trains = 0  # The owner of the weights that are trained now: nobody, or the task.
        self._start: dict[str, torch.Tensor] = {}
        #: Validation success of a task that has come before, by the weights that it has.
        self._success_before: float | None = None

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        policy, packs = strategy.model, _packs(strategy.model)
        num_tasks = packs.num_tasks
        if num_tasks == 0:
            for name in packs.names:
                packs.before(name).copy_(policy.get_parameter(name).detach())
        if num_tasks == MAX_PACKS or not any(
            bool((packs.owner(n) == 0).any()) for n in packs.names
        ):
            raise ConfigError(
                f"the {num_tasks} tasks that the policy learned own all of its weights; start from "
                "another checkpoint with a smaller --packnet.share."
            )
        is_again = packs.has(strategy.frames.bag.to(packs.bags.device))
        self._success_before = strategy.validation.validate() if is_again else None
        self.remark = ""
        packs.is_open = True
        self._task = num_tasks + 1
        self._start = {name: policy.get_parameter(name).detach().clone() for name in packs.names}

    def before_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        is_dense = strategy.clock.train_exp_iterations < self.dense_steps
        self._trains = 0 if is_dense else self._task

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        policy, packs = strategy.model, _packs(strategy.model)
        for name in packs.names:
            gradient = policy.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(packs.owner(name) == self._trains)

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        self._put_back(strategy.model)  # Weight decay and moments move also where no gradient is.

    def after_training_iteration(self, strategy: Any, **kwargs: Any) -> None:
        # Avalanche's clock counts the iteration after this call.
        if strategy.clock.train_exp_iterations + 1 == self.dense_steps:
            self._prune(strategy.model)
            strategy.validation.restart_average(strategy.model)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        packs, before = _packs(strategy.model), self._success_before
        packs.is_open = False
        if before is not None and strategy.validation.best_success <= before:
            self._give_back(strategy.model)
            self.remark = f"it keeps the weights that it had before ({before:.0%})"
        else:
            packs.bags[self._task - 1] = strategy.frames.bag.to(packs.bags.device)

    @torch.no_grad()
    def _prune(self, policy: VisualActionPolicy) -> None:
        """Give the task its share of each tensor: what moved farthest among what nobody owns."""
        packs = _packs(policy)
        for name in packs.names:
            owner = packs.owner(name)
            distance = (policy.get_parameter(name) - self._start[name]).abs()
            distance = distance.masked_fill(owner != 0, -1.0).flatten()
            count = min(math.ceil(self.share * owner.numel()), int((owner == 0).sum()))
            taken = torch.zeros_like(distance, dtype=torch.bool)
            taken[distance.topk(count).indices] = True
            owner.masked_fill_(taken.view_as(owner), self._task)
        self._trains = self._task
        self._put_back(policy)

    @torch.no_grad()
    def _give_back(self, policy: VisualActionPolicy) -> None:
        """Undo the experience: what the task took is free again."""
        packs = _packs(policy)
        for name in packs.names:
            policy.get_parameter(name).copy_(self._start[name])
            owner = packs.owner(name)
            owner.masked_fill_(owner == self._task, 0)

    @torch.no_grad()
    def _put_back(self, policy: VisualActionPolicy) -> None:
        """Undo what moved without being trained."""
        packs = _packs(policy)
        for name in packs.names:
            weight = policy.get_parameter(name)
            is_trained = packs.owner(name) == self._trains
            weight.copy_(torch.where(is_trained, weight, self._start[name]))


def _packs(policy: VisualActionPolicy) -> TaskPacks:
    """Return the packs of a policy that was made for this strategy."""
    assert policy.packs is not None
    return policy.packs
