"""Low-rank adaptation (LoRA): frozen matrices plus products of two thin ones that are trained.

Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", Section 4.1, with the
scale alpha / r of 1.

The factors are torch parametrisations of the weights, so that whoever reads a weight reads the sum:
torch's attention and its fast path in inference do so without calling the linear layer. Hence this
module in place of the package peft, which wraps layers; peft 0.21 also brings transformers and
others, 172 MB, and its import took 5.8 s of CPU time beyond torch's 2.8 s on two cores.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils import parametrize

_ADDED = ".parametrizations."


class LowRankSum(nn.Module):
    """A matrix plus the product of two factors of low rank; the product is zero at first.

    Args:
        shape: Rows and columns of the matrix.
        rank: Rank of the product.
    """

    def __init__(self, shape: torch.Size, rank: int) -> None:
        super().__init__()
        rows, columns = shape
        self.down = nn.Parameter(torch.empty(rank, columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the sum, in the shape of the matrix."""
        return weight + self.up @ self.down


def add_factors(module: nn.Module, rank: int) -> None:
    """Add trained factors to the matrices of all linear and attention layers in a module.

    Args:
        module: The module; its own parameters stay as they are.
        rank: Rank of the factors, at most that of each matrix is used.
    """
    for layer, name in list(_matrices(module)):
        weight: torch.Tensor = getattr(layer, name)
        factors = LowRankSum(weight.shape, min(rank, *weight.shape)).to(weight.device)
        parametrize.register_parametrization(layer, name, factors)


def plain_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return weights and buffers by the names that they have without factors, the sums computed."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in module.state_dict().items():
        owner, is_added, rest = name.partition(_ADDED)
        if is_added:
            weight = rest.partition(".")[0]
            state[f"{owner}.{weight}"] = getattr(module.get_submodule(owner), weight).detach()
        else:
            state[name] = tensor
    return state


def _matrices(module: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Yield each layer that holds a matrix, and the matrix's name."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            yield layer, "weight"
        elif isinstance(layer, nn.MultiheadAttention):
            yield layer, "in_proj_weight"
