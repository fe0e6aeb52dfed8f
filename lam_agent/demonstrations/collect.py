"""Collect demonstrations: a teacher in many worlds at once, noise on what is executed.

The label of each step stays the teacher's clean action, so that noise widens the states that the
policy sees without teaching it to shake. A world that ends an episode starts the next one at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from lam_agent.config import CollectConfig
from lam_agent.demonstrations.recording import RecordedEpisode, Recording, join
from lam_agent.demonstrations.tries import Tries
from lam_agent.episodes import EpisodeSet
from lam_agent.seeding import child_seed, start_seeds
from lam_agent.types import Progress, Teacher, no_progress
from lam_envs.batched import BatchedEnv
from lam_envs.instability import OnUnstable
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.sim.making import Engine
from lam_envs.tasks.sawyer import ACTION_SIZE

_PLAY_STD, _PLAY_CORRELATION = 0.7, 0.95
"""Of the actions of play: the hand wanders through its space, the fingers open and close."""


def _episode_noise(
    task: str, seed: int, episode: int, horizon: int, config: CollectConfig
) -> tuple[torch.Tensor, float]:
    """Return the noise of an episode's executed actions, (horizon, 4), and the teacher's weight.

    It is a stationary autoregressive process of first order: noise that lasts some steps carries
    the hand further from the teacher's path than white noise, which averages out. In an episode of
    play the noise is all that is executed.
    """
    rng = np.random.default_rng(child_seed(seed, "collect-noise", task, episode))
    is_noisy = rng.random() < config.noisy_fraction
    noise = rng.normal(size=(horizon, ACTION_SIZE))
    is_play = rng.random() < config.play_fraction
    std, rho = config.noise_std * is_noisy, config.noise_correlation
    if is_play:
        std, rho = _PLAY_STD, _PLAY_CORRELATION
    noise *= std
    for step in range(1, horizon):
        noise[step] = rho * noise[step - 1] + np.sqrt(1.0 - rho**2) * noise[step]
    return torch.from_numpy(noise.astype(np.float32)), float(not is_play)


def collect_episodes(
    task: str,
    teacher: Teacher,
    *,
    episodes: int,
    seed: int,
    config: CollectConfig,
    image_size: int,
    horizon: int,
    threads: int | None = None,
    on_unstable: OnUnstable = "raise",
    randomisation: Randomisation | None = None,
    engine: Engine = "native",
    device: str = "cpu",
    progress: Progress = no_progress,
) -> EpisodeSet:
    """Roll out a teacher and record what the cameras see and what it would do.

    Args:
        task: Name of the task.
        teacher: Who demonstrates.
        episodes: Number of episodes: of those in which the teacher succeeds, unless `config` keeps
            failures.
        seed: Seed of the run; the result does not depend on `config.batch` or `threads`.
        config: Noise and length.
        image_size: Height and width of the images, pixels.
        horizon: Control steps after which an episode ends without success.
        threads: CPU threads; None for all cores.
        on_unstable: `raise`, or `drop`: episodes whose physics breaks are left out and counted.
        randomisation: How far looks, cameras and physics differ between episodes; None for not.
        engine: Physics engine.
        device: Where physics and cameras are; the episodes are on the CPU.
        progress: Called after each look.

    Returns:
        The episodes, in the order of their seeds.

    Raises:
        UnstableSimulationError: An episode broke, or with `drop` all of them.
        EpisodeError: The teacher succeeds too seldom.
    """
    tries = Tries(task, episodes, keeps_failures=config.keep_failures)
    seeds = start_seeds(task, "demonstration", tries.most, seed=seed)
    done_share = 0.0

    def tell(num_running: float) -> None:
        nonlocal done_share
        expected = (tries.num_counted + num_running) / episodes
        done_share = max(done_share, min(1.0, expected))  # Failures take it back.
        progress(done_share, f"collecting {task}")

    while numbers := tries.begin():
        env = BatchedEnv(
            task,
            min(config.batch, len(numbers)),
            image_size=image_size,
            horizon=horizon,
            num_threads=threads,
            on_unstable=on_unstable,
            randomisation=randomisation,
            engine=engine,
            device=device,
        )
        draws = [_episode_noise(task, seed, number, horizon, config) for number in numbers]
        starts = [seeds[number] for number in numbers]
        for index, episode in _run(env, teacher, starts, draws, config, tell):
            tries.end(numbers[index], episode)
            if tries.are_enough:
                break
        env.check()
    progress(1.0, f"collected {task}")
    demonstrations, num_unstable, num_failed = tries.result()
    return join(
        env, demonstrations, config.look_every, num_unstable=num_unstable, num_failed=num_failed
    )


def _run(
    env: BatchedEnv,
    teacher: Teacher,
    starts: Sequence[np.random.SeedSequence],
    draws: Sequence[tuple[torch.Tensor, float]],
    config: CollectConfig,
    tell: Callable[[float], None],
) -> Iterator[tuple[int, RecordedEpisode]]:
    """Run episodes, more than there are worlds perhaps, and return each when it ends.

    Args:
        env: The worlds.
        teacher: Who demonstrates.
        starts: Seed of each episode's start.
        draws: Its noise and the teacher's weight.
        config: Looks, and when an episode ends.
        tell: Told at each look how many episodes the running ones are worth.
    """
    horizon = env.horizon
    rows = torch.arange(env.num_envs, device=env.device)
    noise = torch.zeros(env.num_envs, horizon, ACTION_SIZE, device=env.device)
    weight = torch.ones(env.num_envs, 1, device=env.device)
    step_of = torch.zeros_like(rows)
    recording = Recording(env, config.look_every)
    running: dict[int, int] = {}  # World -> its episode.
    waiting = iter(range(len(starts)))

    def begin(worlds: Sequence[int]) -> None:
        """Begin the episodes that wait, one in each of some worlds."""
        episode_of = dict(zip(worlds, waiting, strict=False))
        if not episode_of:
            return
        mask = torch.zeros(env.num_envs, dtype=torch.bool)
        mask[list(episode_of)] = True
        # One copy to the device for all worlds.
        begun = torch.tensor(list(episode_of), device=env.device)
        drawn, weights = zip(*(draws[episode] for episode in episode_of.values()), strict=True)
        noise[begun] = torch.stack(drawn).to(env.device)
        weight[begun, 0] = torch.tensor(weights, device=env.device)
        env.reset(mask, seeds=[starts[episode] for _, episode in sorted(episode_of.items())])
        step_of[mask.to(env.device)] = 0
        recording.begin(list(episode_of))
        running.update(episode_of)

    begin(range(env.num_envs))
    while running:
        lengths = {world: recording.steps(world) for world in running}
        if any(length % config.look_every == 0 for length in lengths.values()):
            recording.look()
            tell(sum(lengths.values()) / horizon)
        actions = teacher(env).to(env.device).clone()
        result = env.step(weight * actions + noise[rows, step_of.clamp(max=horizon - 1)])
        step_of += 1
        recording.act(actions, result.is_success, result.is_unstable)
        # Episodes end at a look, so that all worlds look at the same steps, or at the horizon.
        may_end = [
            world
            for world, length in sorted(lengths.items())
            if (length + 1) % config.look_every == 0 or length + 1 == horizon
        ]
        if not may_end:
            continue
        ends = recording.ends(horizon, config.steps_after_success)
        done = [world for world in may_end if recording.steps(world) >= ends[world]]
        for world in done:
            yield running.pop(world), recording.end(world)
        begin(done)
