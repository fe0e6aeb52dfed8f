"""One evaluation for training, command line and controller: a policy in many worlds at once.

All episodes of a cell run in even batches of one size for a fixed horizon; the cameras look only
when the policy needs a new chunk of actions. On a GPU nothing leaves it before the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from lam_agent.config import RunConfig, SimConfig
from lam_agent.evaluation.acting import ActingPolicy
from lam_agent.policy.policy import VisualActionPolicy, not_finite
from lam_agent.seeding import Split, start_seeds
from lam_agent.system import simulation_on
from lam_agent.types import Progress, no_progress
from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidActionError
from lam_envs.instability import OnUnstable
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.sim.making import Engine

MAX_BATCH = 64
"""Worlds that are evaluated at a time on CPU cores, at most."""

MAX_BATCH_ON_GPU = 1024


@dataclass(frozen=True)
class Evaluation:
    """Success of a policy on one task, episode by episode.

    Attributes:
        task: Name of the task.
        is_success: Whether the predicate held at any step, shape (E,), bool.
        is_success_at_end: Whether it held at the last step, shape (E,), bool.
        reward: Sum of the dense reward of each episode, shape (E,).
        is_unstable: Whether its physics broke, which counts as a failure, shape (E,), bool.
    """

    task: str
    is_success: torch.Tensor
    is_success_at_end: torch.Tensor
    reward: torch.Tensor
    is_unstable: torch.Tensor

    @property
    def num_unstable(self) -> int:
        """Episodes that failed because their physics broke."""
        return int(self.is_unstable.sum())

    @property
    def counts(self) -> dict[str, int]:
        """What a table of success rates takes: `successes`, `successes_at_end`, `episodes`."""
        return {
            "successes": int(self.is_success.sum()),
            "successes_at_end": int(self.is_success_at_end.sum()),
            "episodes": len(self.is_success),
        }

    @property
    def success_rate(self) -> float:
        """Share of episodes that succeeded at any step."""
        return float(self.is_success.float().mean())


@lru_cache(maxsize=16)
def _worlds(
    task: str,
    num_envs: int,
    image_size: int,
    horizon: int,
    threads: int | None,
    on_unstable: OnUnstable,
    randomisation: Randomisation | None,
    engine: Engine,
    device: str,
) -> BatchedEnv:
    """Keep environments, those of a stream of ten tasks: making one takes seconds, 90 MB each."""
    return BatchedEnv(
        task,
        num_envs,
        image_size=image_size,
        horizon=horizon,
        num_threads=threads,
        on_unstable=on_unstable,
        randomisation=randomisation,
        engine=engine,
        device=device,
    )


def even_batch(episodes: int, most: int) -> int:
    """Return the size of the fewest batches that hold all episodes, as even as they can be."""
    num_batches = math.ceil(episodes / most)
    return math.ceil(episodes / num_batches)


def evaluate(
    policy: VisualActionPolicy,
    task: str,
    *,
    episodes: int,
    split: Split,
    horizon: int,
    threads: int | None = None,
    sim: SimConfig | None = None,
    randomisation: Randomisation | None = None,
    is_whole: bool = True,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure a policy's success on a task.

    Args:
        policy: The policy; it is not changed.
        task: Name of the task.
        episodes: Number of episodes; the starts of the first ones do not depend on it.
        split: Which start states.
        horizon: Control steps of every episode.
        threads: CPU threads of the simulation; the result does not depend on it.
        sim: Engine, and what happens where physics breaks: with `drop` the episode counts as
            failed; None for the defaults.
        randomisation: How far looks, cameras and physics differ between episodes; None for not.
        is_whole: Whether every episode goes on to the horizon. Otherwise a batch ends once all its
            episodes have succeeded: quicker, where reward and success at the end do not matter.
        progress: Called at each look.
    """
    sim = sim or SimConfig()
    engine, device = simulation_on(sim.engine, str(policy.device))
    seeds = start_seeds(task, split, episodes)
    most = MAX_BATCH if device == "cpu" else MAX_BATCH_ON_GPU
    num_envs = even_batch(episodes, most)
    size = policy.config.image_size
    kind = (size, horizon, threads, sim.on_unstable, randomisation, engine, device)
    parts = []
    for first in range(0, episodes, num_envs):
        batch = seeds[first : first + num_envs]
        env = _worlds(task, num_envs, *kind)
        filled = batch + batch[:1] * (env.num_envs - len(batch))  # The batch size is fixed.
        share = (first / episodes, len(batch) / episodes)
        part = _roll_out(policy, env, filled, *share, is_whole=is_whole, progress=progress)
        parts.append([values[: len(batch)].cpu() for values in part])
    return Evaluation(task, *(torch.cat(values) for values in zip(*parts, strict=True)))


def evaluate_on_test(
    policy: VisualActionPolicy,
    task: str,
    config: RunConfig,
    *,
    threads: int | None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure a cell of a run's success matrix: a policy on the test starts of a task.

    Args:
        policy: The policy; it is not changed.
        task: Name of the task.
        config: The run's configuration.
        threads: CPU threads of the simulation.
        progress: Called at each look.
    """
    return evaluate(
        policy,
        task,
        episodes=config.eval.episodes,
        split="test",
        horizon=config.eval.horizon,
        threads=threads,
        sim=config.sim,
        progress=progress,
    )


def _roll_out(
    policy: VisualActionPolicy,
    env: BatchedEnv,
    seeds: list[np.random.SeedSequence],
    done: float,
    share: float,
    *,
    is_whole: bool,
    progress: Progress,
) -> list[torch.Tensor]:
    """Run one batch of episodes; return what an `Evaluation` holds of them, in its order."""
    acting = ActingPolicy(policy, env.task.instruction)
    env.reset(seeds=seeds)
    is_success = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    at_end, is_unstable = is_success, is_success
    reward = torch.zeros(env.num_envs, dtype=torch.float64, device=env.device)
    for step in range(env.horizon):
        if acting.looks_next:
            progress(done + share * step / env.horizon, f"evaluating {env.task.name}")
        result = env.step(acting(env))
        at_end = result.is_success
        is_success = is_success | at_end
        is_unstable = result.is_unstable
        reward += result.reward
        if not is_whole and acting.looks_next and bool(is_success.all()):
            break
    try:
        env.check()
    except InvalidActionError as error:
        raise not_finite() from error
    return [is_success & ~is_unstable, at_end, reward, is_unstable]
