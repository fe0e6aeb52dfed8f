"""Vectors of instructions: cached in a checkpoint, checked on load, compared with new ones.

`instructions.safetensors` holds, for each task that the policy learned, the vector (D,) that the
text encoder makes of its instruction and that conditions the policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lam_agent.checkpoint.contract import Contract
from lam_agent.errors import CheckpointError
from lam_agent.policy.instruction import bag_of_words, words_of
from lam_agent.policy.policy import VisualActionPolicy

_TOLERANCE = 1e-4
"""Largest distance of a cached vector from the text encoder's, as a share of its length."""


@dataclass(frozen=True)
class InstructionMatch:
    """How an instruction stands to those that a policy learned.

    Attributes:
        is_seen: Whether the policy learned it; case, order and punctuation do not count.
        task: Task of the nearest instruction that was learned; the instruction's own if seen.
        instruction: That nearest instruction.
        similarity: Cosine of both vectors, from -1 to 1.
    """

    is_seen: bool
    task: str
    instruction: str
    similarity: float


@torch.inference_mode()
def instruction_vectors(
    policy: VisualActionPolicy, instructions: Mapping[str, str]
) -> dict[str, torch.Tensor]:
    """Return the vector of each instruction by name, float32 (D,), on the CPU.

    Args:
        policy: The policy, on any device.
        instructions: Name -> instruction.
    """
    bags = torch.stack([bag_of_words(text) for text in instructions.values()])
    with torch.autocast(policy.device.type, enabled=False):
        vectors = policy.instruction(bags.to(policy.device)).cpu()  # (N, D)
    return {name: vector.clone() for name, vector in zip(instructions, vectors, strict=True)}


def check_vectors(
    policy: VisualActionPolicy,
    cached: Mapping[str, torch.Tensor],
    contract: Contract,
    source: str,
) -> None:
    """Refuse cached vectors that are not those of the policy's text encoder.

    Args:
        policy: The policy, on a CPU.
        cached: Task -> vector (D,).
        contract: Names the instructions.
        source: Where the vectors are from, for errors.

    Raises:
        CheckpointError: A task has no vector, or one of another shape or value.
    """
    expected = instruction_vectors(policy, contract.tasks)
    if set(cached) != set(expected):
        raise CheckpointError(
            f"{source} has vectors of {', '.join(sorted(cached)) or 'no task'}; it must have those "
            f"of {', '.join(sorted(expected))}; save the checkpoint again."
        )
    for task, vector in expected.items():
        shape, dtype = tuple(cached[task].shape), cached[task].dtype
        if shape != tuple(vector.shape) or dtype != vector.dtype:
            raise CheckpointError(
                f"{source} has a vector of shape {shape} and type {dtype} for {task}; it must have "
                f"shape {tuple(vector.shape)} and type {vector.dtype}; save the checkpoint again."
            )
        distance = float((cached[task] - vector).norm() / vector.norm())
        if not distance <= _TOLERANCE:
            raise CheckpointError(
                f"the text encoder's vector of {task} is {distance:.1e} of its length away from "
                f"that in {source}, more than the {_TOLERANCE:g} that is allowed; copy the "
                "checkpoint again."
            )


def match_instruction(
    policy: VisualActionPolicy, contract: Contract, instruction: str
) -> InstructionMatch:
    """Find the nearest of the instructions that a policy learned.

    Args:
        policy: The policy, on any device.
        contract: Its contract, which names them.
        instruction: Any instruction.
    """
    words = sorted(words_of(instruction))
    for task, text in contract.known.items():
        if sorted(words_of(text)) == words:  # The policy reads a bag of words: both are one to it.
            return InstructionMatch(True, task, text, 1.0)
    learned = instruction_vectors(policy, contract.known)
    (asked,) = instruction_vectors(policy, {"": instruction}).values()
    near = torch.cosine_similarity(torch.stack(list(learned.values())), asked[None])  # (N,)
    place = int(near.argmax())
    task = list(learned)[place]
    return InstructionMatch(False, task, contract.known[task], float(near[place]))
