"""A policy as a teacher: it shows what it has learned."""

from __future__ import annotations

import torch

from lam_agent.evaluate import instruction_bag
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv


class LearnedTeacher:
    """Acts as a policy does on a task; all worlds look at the same steps, where episodes begin.

    Args:
        policy: The policy; it is not changed.
        task: Name of the task.
    """

    def __init__(self, policy: VisualActionPolicy, task: str) -> None:
        self._bag = instruction_bag(task)
        self._policy = policy.on_task(self._bag)
        self._chunk = torch.empty(0)
        self._step = 0

    def __call__(self, env: BatchedEnv) -> torch.Tensor:
        """Return the policy's actions, shape (num_envs, 4), float32, in [-1, 1]."""
        offset = self._step % self._policy.config.execute_length
        if offset == 0:
            observation = {**env.images(), "proprioception": env.proprioception()}
            self._chunk = self._policy.act(observation, self._bag)  # (N, L, 4)
        self._step += 1
        return self._chunk[:, offset]
