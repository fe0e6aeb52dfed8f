"""A policy in environments: it looks, executes a part of its chunk of actions, looks again."""

from __future__ import annotations

import torch

from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv


class ActingPolicy:
    """Acts in all worlds of an environment, which look at the same steps; a teacher, too.

    Where the environment defers its checks, nothing waits for the device, and it is the environment
    that tells of actions that are not finite.

    Args:
        policy: The policy; it is not changed.
        instruction: What it shall do.
    """

    def __init__(self, policy: VisualActionPolicy, instruction: str) -> None:
        self._bag = bag_of_words(instruction).to(policy.device)
        self._policy = policy.on_task(self._bag)
        self._chunk = torch.empty(0)
        self._num_executed = policy.config.execute_length

    @property
    def looks_next(self) -> bool:
        """Whether it looks before its next action."""
        return self._num_executed == self._policy.config.execute_length

    def __call__(self, env: BatchedEnv) -> torch.Tensor:
        """Return the actions of the next step, shape (num_envs, 4), float32, in [-1, 1]."""
        if self.looks_next:
            observation = {**env.images(), "proprioception": env.proprioception()}
            if env.defers_checks:
                planned = self._policy.plan(observation, self._bag)
                chunk = planned.clamp(-1.0, 1.0).where(planned.isfinite(), torch.nan)
            else:
                chunk = self._policy.act(observation, self._bag)
            self._chunk, self._num_executed = chunk.to(env.device), 0  # (N, L, 4)
        self._num_executed += 1
        return self._chunk[:, self._num_executed - 1]
