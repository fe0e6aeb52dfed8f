"""Train a teacher by reinforcement learning on the dense reward: PPO of Stable-Baselines3.

worlds --states, rewards--> PPO --validated on starts of its own--> the best TrainedTeacher
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from lam_agent.config.teaching import TeachingConfig
from lam_agent.seeding import child_seed, start_seeds
from lam_agent.teachers.trained import TeacherNetwork, TrainedTeacher
from lam_agent.teachers.worlds import Worlds
from lam_agent.types import Progress, no_progress
from lam_envs.batched import BatchedEnv

_LOG_STD = -0.5
"""Logarithm of the noise of the actions at first: the arm's are small."""


def train_teacher(
    task: str,
    config: TeachingConfig,
    *,
    seed: int,
    horizon: int,
    threads: int | None = None,
    keep: Callable[[TrainedTeacher], None],
    progress: Progress = no_progress,
) -> TrainedTeacher:
    """Train a teacher of a task on the CPU.

    Args:
        task: Name of the task.
        config: How.
        seed: Seed of the start states, of the weights and of the noise.
        horizon: Control steps of an episode.
        threads: CPU threads of the physics; None for all cores. The result does not depend on it.
        keep: Called with each teacher that is better than those before it.
        progress: Told at each rollout how far it is.

    Returns:
        The best one.
    """
    kind = {"cameras": (), "num_threads": threads, "on_unstable": "drop", "horizon": horizon}
    env = BatchedEnv(task, config.worlds, **kind)  # type: ignore[arg-type]
    worlds = VecNormalize(Worlds(env, seed), gamma=config.discount)
    judge = BatchedEnv(task, config.validation_episodes, **kind)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        # The last batch of a rollout may be a smaller one.
        warnings.filterwarnings("ignore", "You have specified a mini-batch size", UserWarning)
        model = PPO(
            "MlpPolicy",
            worlds,
            n_steps=config.rollout,
            batch_size=config.batch_size,
            n_epochs=config.epochs,
            learning_rate=config.learning_rate,
            gamma=config.discount,
            policy_kwargs={"net_arch": [config.width, config.width], "log_std_init": _LOG_STD},
            seed=child_seed(seed, "teaching", task) % 2**32,
            device="cpu",
        )
    watch = _Validation(task, config, worlds, judge, keep, progress)
    model.learn(config.steps, callback=watch)
    assert watch.best is not None
    return watch.best


class _Validation(BaseCallback):
    """Validates now and then, keeps the best teacher, and ends training that is good enough."""

    def __init__(
        self,
        task: str,
        config: TeachingConfig,
        worlds: VecNormalize,
        judge: BatchedEnv,
        keep: Callable[[TrainedTeacher], None],
        progress: Progress,
    ) -> None:
        super().__init__()
        self.task = task
        self.config = config
        self.worlds = worlds
        self.judge = judge
        self.keep = keep
        self.progress = progress
        self.best: TrainedTeacher | None = None
        self._validated = 0
        self._score = (-1.0, -1.0)

    @property
    def _is_good(self) -> bool:
        """Whether it need not be trained any further."""
        return min(self._score) >= self.config.target_success

    def _on_step(self) -> bool:
        return not self._is_good

    def _on_rollout_start(self) -> None:
        share = min(1.0, self.num_timesteps / self.config.steps)
        words = f", {self._score[0]:.0%} succeed" if self.best else ""
        self.progress(share, f"teaching {self.task}{words}")
        if self.num_timesteps - self._validated >= self.config.validate_every:
            self._validate()

    def _on_training_end(self) -> None:
        if not self._is_good:
            self._validate()

    def _validate(self) -> None:
        """Measure the policy as it is now, and keep it if it is the best so far."""
        self._validated = self.num_timesteps
        network = _network_of(self.model, self.worlds, self.config.width)
        teacher = TrainedTeacher(self.task, network, {})
        score = success_of(teacher, self.judge)
        if score > self._score:
            said = {
                "algorithm": "ppo",
                "steps": self.num_timesteps,
                "success": score[0],
                "success_at_end": score[1],
                "teaching": asdict(self.config),
            }
            self._score, self.best = score, replace(teacher, said=said)
            self.keep(self.best)


def success_of(teacher: TrainedTeacher, env: BatchedEnv) -> tuple[float, float]:
    """Return how often a teacher succeeds at some step, and at the last, from validation starts.

    Args:
        teacher: The teacher.
        env: A world for each episode.
    """
    env.reset(seeds=start_seeds(teacher.task, "validation", env.num_envs))
    ever = torch.zeros(env.num_envs, dtype=torch.bool)
    at_end = ever
    for _ in range(env.horizon):
        at_end = env.step(teacher(env)).is_success
        ever = ever | at_end
    return float(ever.float().mean()), float(at_end.float().mean())


def _network_of(model: Any, worlds: VecNormalize, width: int) -> TeacherNetwork:
    """Return what a policy of Stable-Baselines3 does without noise."""
    with torch.random.fork_rng(devices=[]):  # What is drawn here must not move what is trained.
        network = TeacherNetwork(width)
    policy = model.policy
    layers = [*policy.mlp_extractor.policy_net, policy.action_net]
    for own, other in zip(network.layers, layers, strict=True):
        own.load_state_dict(other.state_dict())
    seen: Any = worlds.obs_rms
    network.mean.copy_(torch.from_numpy(np.asarray(seen.mean)))
    network.deviation.copy_(torch.from_numpy(np.sqrt(np.asarray(seen.var) + worlds.epsilon)))
    return network.eval()
