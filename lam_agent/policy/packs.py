"""Weights that belong to tasks: one network that is another one for each task that it learned.

Source: Mallya and Lazebnik 2018, "PackNet: Adding Multiple Tasks to a Single Network by Iterative
Pruning". Each task owns some of the weights. On a task the policy has the weights of that task and
of all before it, and in place of the others what was there before the stream: zero in the paper,
the initial weights here, so that what pretraining taught stays.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from lam_agent.config import MAX_PACKS
from lam_agent.policy.instruction import NUM_BUCKETS


class TaskPacks(nn.Module):
    """Who owns each weight, and what was there before the stream.

    Args:
        parameters: Parameters that can be owned, by name.

    Attributes:
        bags: Bag of words of each task's instruction, float32 (MAX_PACKS, NUM_BUCKETS); 0 where
            there is no task yet.
        is_open: Whether a task is being learned now; the policy then has all of its weights.
    """

    bags: torch.Tensor

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]]) -> None:
        super().__init__()
        self.is_open = False
        self.register_buffer("bags", torch.zeros(MAX_PACKS, NUM_BUCKETS))
        self.names = []
        for name, parameter in parameters:
            self.names.append(name)
            owners = torch.zeros_like(parameter, dtype=torch.uint8, requires_grad=False)
            self.register_buffer(_key("owner", name), owners)
            self.register_buffer(_key("before", name), parameter.detach().clone())

    @property
    def num_tasks(self) -> int:
        """Tasks that own weights; asking waits for the device."""
        return int(self.bags.any(1).sum())

    @property
    def num_bytes(self) -> int:
        """Bytes of owners, values before the stream and bags."""
        return sum(value.numel() * value.element_size() for value in self.buffers())

    def has(self, bag: torch.Tensor) -> bool:
        """Tell whether a task of this bag of words, (NUM_BUCKETS,), owns weights."""
        return bool((self.bags == bag).all(1).any())

    def owner(self, name: str) -> torch.Tensor:
        """Return who owns each weight of a parameter: a task from 1, or 0 for nobody; uint8."""
        return self.get_buffer(_key("owner", name))

    def before(self, name: str) -> torch.Tensor:
        """Return the values of a parameter before the stream."""
        return self.get_buffer(_key("before", name))

    def weights_for(self, policy: nn.Module, bag: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the weights that a policy has on a task, without waiting for the device.

        Args:
            policy: The policy, whose own weights are those of all tasks.
            bag: Bag of words of the task's instruction, (NUM_BUCKETS,). A task that came more than
                once has the weights that it took last; one that never came has those before the
                stream, so that what was learned before is not forgotten either.

        Returns:
            Parameter name -> values, for those that can be owned.
        """
        places = torch.arange(1, MAX_PACKS + 1, device=self.bags.device)
        place = ((self.bags == bag).all(1) * places).max()  # 0 where there is none.
        has_begun = self.bags.any()  # If not, `before` is not filled.
        weights = {}
        for name in self.names:
            owner, weight = self.owner(name), policy.get_parameter(name).detach()
            is_later = (owner == 0) | (owner > place)
            weights[name] = torch.where(is_later & has_begun, self.before(name), weight)
        return weights


def _key(kind: str, name: str) -> str:
    """Return the name of a buffer; a dot would be a module's."""
    return f"{kind}:{name.replace('.', '|')}"
