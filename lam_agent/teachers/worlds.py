"""Worlds of one task, as Stable-Baselines3 steps them: those that end begin anew at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.vec_env import VecEnv

from lam_agent.seeding import start_seeds
from lam_envs.batched import BatchedEnv
from lam_envs.tasks.sawyer import ACTION_SIZE, STATE_SIZE


class Worlds(VecEnv):
    """Many worlds of a task, whose episodes start where no demonstration and no test does.

    Args:
        env: The worlds.
        seed: Seed of the start states.
    """

    def __init__(self, env: BatchedEnv, seed: int) -> None:
        self._env = env
        self._seed = seed
        self._num_begun = 0
        self._actions: npt.NDArray[np.float32] = np.zeros((0, ACTION_SIZE), np.float32)
        super().__init__(
            env.num_envs,
            gymnasium.spaces.Box(-np.inf, np.inf, (STATE_SIZE,), np.float32),
            gymnasium.spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32),
        )

    def reset(self) -> npt.NDArray[np.float32]:
        """Begin an episode in all worlds; return their states, (N, 39)."""
        return self._begin(np.ones(self.num_envs, np.bool_))

    def step_async(self, actions: npt.NDArray[np.float32]) -> None:
        """Take the actions of the next step, (N, 4)."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step all worlds; those whose episode ends begin another one."""
        result = self._env.step(torch.from_numpy(self._actions))
        states, ends = _states(result.state), result.truncated.cpu().numpy()
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(ends):
            infos[world] = {"terminal_observation": states[world], "TimeLimit.truncated": True}
        if ends.any():
            states = self._begin(ends)
        return states, result.reward.cpu().numpy().astype(np.float32), ends, infos

    def _begin(self, ends: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        first, count = self._num_begun, int(ends.sum())
        self._num_begun += count
        seeds = start_seeds(self._env.task.name, "teaching", count, seed=self._seed, first=first)
        return _states(self._env.reset(torch.from_numpy(ends), seeds=seeds))

    def close(self) -> None:
        """Do nothing: the worlds are others'."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return what Stable-Baselines3 asks of each world."""
        return [getattr(self._env, attr_name, None)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set nothing: the worlds are stepped together."""

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Return nothing of each world: they have no methods of their own."""
        return [None] * len(self._indices(indices))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Say that no world is wrapped."""
        return [False] * len(self._indices(indices))

    def _indices(self, indices: Any) -> Sequence[int]:
        chosen: Sequence[int] = list(self._get_indices(indices))
        return chosen


def _states(states: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return states as NumPy has them, a copy."""
    found: npt.NDArray[np.float32] = states.to("cpu", torch.float32, copy=True).numpy()
    return found
