"""Instructions as tokens: hashed words, one learned embedding each, averaged, then two layers.

An instruction that the policy never saw still has a token, near those that share its words.

Source: Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods for Text
Classification" (deep averaging network); the hashing is Weinberger et al. 2009's.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

import torch
from torch import nn

from lam_agent.errors import ConfigError

NUM_BUCKETS = 512
"""Number of word embeddings; words share one where their hashes meet."""


def words_of(instruction: str) -> list[str]:
    """Return the words of an instruction as the policy reads them: letters a to z and digits."""
    return re.findall(r"[a-z0-9]+", instruction.lower())


def word_buckets(instruction: str) -> torch.Tensor:
    """Return the buckets of an instruction's words, shape (number of words,), int64."""
    words = words_of(instruction) or ["task"]
    return torch.tensor([zlib.crc32(word.encode()) % NUM_BUCKETS for word in words])


def bag_of_words(instruction: str) -> torch.Tensor:
    """Return the share of each bucket in an instruction, shape (NUM_BUCKETS,), float32."""
    counts = torch.bincount(word_buckets(instruction), minlength=NUM_BUCKETS).float()
    return counts / counts.sum()


def check_distinct(instructions: Mapping[str, str]) -> None:
    """Refuse tasks that the policy cannot tell apart.

    Args:
        instructions: Task -> what the policy is told.

    Raises:
        ConfigError: Two tasks have the same words, however ordered.
    """
    known: dict[bytes, str] = {}
    for task, instruction in instructions.items():
        bag = bag_of_words(instruction).numpy().tobytes()
        other = known.setdefault(bag, task)
        if other != task:
            raise ConfigError(
                f"the instructions of {other} ({instructions[other]!r}) and {task} "
                f"({instruction!r}) have the same words, whose order the policy does not read; "
                "change one of them."
            )


class InstructionEncoder(nn.Module):
    """Turns bags of words into tokens, (B, NUM_BUCKETS) -> (B, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(NUM_BUCKETS, width, bias=False)
        nn.init.normal_(self.embed.weight, std=1.0)
        last = nn.Linear(width, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.compose = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), last)

    def forward(self, bags: torch.Tensor) -> torch.Tensor:
        """Average the embeddings of the words in each bag, then compose them."""
        average = self.embed(bags)
        token: torch.Tensor = average + self.compose(average)
        return token
