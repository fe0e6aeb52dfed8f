"""Adaptation modes: which part of a policy is trained, and which is frozen.

| mode | trained |
|---|---|
| full | everything |
| trunk | everything but the camera encoders |
| head | the action head |
| lora | low-rank factors on the matrices of views, tracker, trunk and head |
| adapter | the adapters behind the trunk's layers and before the head |
"""

from __future__ import annotations

import torch

from lam_agent.policy.lora import add_factors
from lam_agent.policy.parts import is_trained_in
from lam_agent.policy.policy import VisualActionPolicy

_WITH_FACTORS = ("views", "tracker", "tracked_token", "trunk", "head")


def freeze(policy: VisualActionPolicy, mode: str, *, rank: int, seed: int) -> None:
    """Leave only what an adaptation mode trains to be trained.

    Args:
        policy: The policy, with its initial weights; it computes the same after this call.
        mode: The adaptation mode, one of the configuration's.
        rank: Rank of the factors of `lora`.
        seed: Seed of the first factors.
    """
    for name, parameter in policy.named_parameters():
        parameter.requires_grad_(is_trained_in(mode, name))
    if mode == "lora":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for name in _WITH_FACTORS:
                add_factors(policy.get_submodule(name), rank)
    policy.train(policy.training)
