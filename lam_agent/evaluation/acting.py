"""A policy in environments: it looks, executes a part of its chunk of actions, looks again."""

from __future__ import annotations

import torch

from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import start_seeds
from lam_envs.batched import BatchedEnv

_FIRST_LOOKS = 4


def observed(env: BatchedEnv) -> dict[str, torch.Tensor]:
    """Return what a policy sees and feels in all worlds now."""
    return {**env.images(), "proprioception": env.proprioception()}


def first_looks(
    task: str, image_size: int, num_threads: int | None = None
) -> dict[str, torch.Tensor]:
    """Return a few observations of validation starts: a checkpoint's parity sample is of these.

    Args:
        task: Name of the task.
        image_size: Height and width of the pictures, pixels.
        num_threads: CPU threads of the simulation; None for all cores.
    """
    env = BatchedEnv(task, _FIRST_LOOKS, image_size=image_size, num_threads=num_threads)
    env.reset(seeds=start_seeds(task, "validation", _FIRST_LOOKS))
    return observed(env)


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
            observation = observed(env)
            if env.defers_checks:
                planned = self._policy.plan(observation, self._bag)
                chunk = planned.clamp(-1.0, 1.0).where(planned.isfinite(), torch.nan)
            else:
                chunk = self._policy.act(observation, self._bag)
            self._chunk, self._num_executed = chunk.to(env.device), 0  # (N, L, 4)
        self._num_executed += 1
        return self._chunk[:, self._num_executed - 1]
