"""A layer of the trunk: torch's transformer layer, with attention written for a handful of tokens.

torch's fused attention on CPU cores works in blocks of 32 queries and more. The policy has five
tokens, for which plain products of small matrices take a third of the time in training.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class TrunkLayer(nn.TransformerEncoderLayer):
    """A transformer layer with norms first, whose weights have the names of torch's own.

    Source: Vaswani et al. 2017, "Attention Is All You Need", Section 3.2; norms first as in Xiong
    et al. 2020, "On Layer Normalization in the Transformer Architecture".

    Args:
        width: Width D of the tokens.
        heads: Attention heads, which share the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)

    def forward(self, src: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Let tokens (B, T, D) know of each other; there are no masks."""
        tokens = src + self.dropout1(self._attend(self.norm1(src)))
        inner = self.dropout(nn.functional.gelu(self.linear1(self.norm2(tokens))))
        thoughts: torch.Tensor = tokens + self.dropout2(self.linear2(inner))
        return thoughts

    def _attend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return what each of the tokens (B, T, D) gathers from all."""
        attention = self.self_attn
        batch, num_tokens, width = tokens.shape
        heads, size = attention.num_heads, attention.head_dim
        packed = nn.functional.linear(tokens, attention.in_proj_weight, attention.in_proj_bias)
        packed = packed.view(batch, num_tokens, 3, heads, size).permute(2, 0, 3, 1, 4)
        queries, keys, values = packed.reshape(3, batch * heads, num_tokens, size)  # (B * H, T, d)
        shares = torch.bmm(queries * size**-0.5, keys.transpose(1, 2)).softmax(2)  # (B * H, T, T)
        shares = nn.functional.dropout(shares, attention.dropout, self.training)
        gathered = torch.bmm(shares, values).view(batch, heads, num_tokens, size)
        joined: torch.Tensor = attention.out_proj(
            gathered.transpose(1, 2).reshape(batch, num_tokens, width)
        )
        return joined
