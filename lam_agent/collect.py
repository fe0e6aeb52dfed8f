"""Collect demonstrations: a teacher in many worlds at once, noise on what is executed.

The label of each step stays the teacher's clean action, so that noise widens the states that the
policy sees without teaching it to shake. A world that ends an episode starts the next one at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lam_agent.config import CollectConfig
from lam_agent.episodes import EpisodeSet
from lam_agent.seeding import child_seed, start_seeds
from lam_agent.types import Progress, Teacher, no_progress
from lam_envs.batched import ACTION_SIZE, BatchedEnv
from lam_envs.errors import UnstableSimulationError
from lam_envs.instability import OnUnstable
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.sim.making import Engine


@dataclass
class _Recording:
    """Growing lists of one episode."""

    images: dict[str, list[torch.Tensor]]
    proprioception: list[torch.Tensor]
    tracked: list[torch.Tensor]
    look_step: list[int]
    actions: list[torch.Tensor]
    success_step: int | None = None
    is_unstable: bool = False


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
        episodes: Number of episodes.
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
    """
    num_worlds = min(config.batch, episodes)
    env = BatchedEnv(
        task,
        num_worlds,
        image_size=image_size,
        horizon=horizon,
        num_threads=threads,
        on_unstable=on_unstable,
        randomisation=randomisation,
        engine=engine,
        device=device,
    )
    seeds = start_seeds(task, "demonstration", episodes, seed=seed)
    noise = torch.zeros(num_worlds, horizon, ACTION_SIZE)
    weight = torch.ones(num_worlds, 1)
    episode_of = torch.arange(num_worlds)
    step_of = torch.zeros(num_worlds, dtype=torch.int64)
    is_active = torch.ones(num_worlds, dtype=torch.bool)
    recordings: dict[int, _Recording] = {}
    next_episode = num_worlds

    def begin(world: int, episode: int) -> None:
        episode_of[world], step_of[world] = episode, 0
        noise[world], weight[world] = _episode_noise(task, seed, episode, horizon, config)
        recordings[episode] = _Recording({camera: [] for camera in env.cameras}, [], [], [], [])

    for world in range(num_worlds):
        begin(world, world)
    env.reset(seeds=seeds[:num_worlds])
    num_done = 0
    while num_done < episodes:
        is_looking = is_active & (step_of % config.look_every == 0)
        if bool(is_looking.any()):
            _record_look(env, recordings, is_looking, episode_of, step_of)
            running = float((step_of[is_active] / horizon).sum())
            progress(min(1.0, (num_done + running) / episodes), f"collecting {task}")
        actions = teacher(env).cpu()
        executed = (
            weight * actions + noise[torch.arange(num_worlds), step_of.clamp(max=horizon - 1)]
        )
        result = env.step(executed)
        is_success, is_unstable = result.is_success.tolist(), result.is_unstable.tolist()
        finished = torch.zeros(num_worlds, dtype=torch.bool)
        for world in is_active.nonzero()[:, 0].tolist():
            recording = recordings[int(episode_of[world])]
            recording.actions.append(actions[world].clone())
            step_of[world] += 1
            if recording.success_step is None and is_success[world]:
                recording.success_step = int(step_of[world])
            recording.is_unstable |= is_unstable[world]
            end = 0 if recording.is_unstable else horizon
            if recording.success_step is not None:
                end = min(end, recording.success_step + config.steps_after_success)
            # Episodes end at a look, so that all worlds look at the same steps.
            is_look_next = int(step_of[world]) % config.look_every == 0
            finished[world] = int(step_of[world]) >= (end if is_look_next else horizon)
        if not bool(finished.any()):
            continue
        restarted = finished.clone()
        for world in finished.nonzero()[:, 0].tolist():
            num_done += 1
            if next_episode < episodes:
                begin(world, next_episode)
                next_episode += 1
            else:
                is_active[world] = restarted[world] = False
        if bool(restarted.any()):
            chosen = [seeds[int(episode)] for episode in episode_of[restarted]]
            env.reset(restarted.to(env.device), seeds=chosen)
    env.check()
    progress(1.0, f"collected {task}")
    stable = [recordings[i] for i in range(episodes) if not recordings[i].is_unstable]
    if not stable:
        raise UnstableSimulationError(
            f"all {episodes} demonstrations of {task} became unstable; mend its scene or its "
            "expert."
        )
    return _join(env, stable, config.look_every, episodes - len(stable))


def _record_look(
    env: BatchedEnv,
    recordings: dict[int, _Recording],
    is_looking: torch.Tensor,
    episode_of: torch.Tensor,
    step_of: torch.Tensor,
) -> None:
    """Append what the looking worlds see to their recordings."""
    images = {camera: pictures.cpu() for camera, pictures in env.images().items()}
    proprioception, tracked = env.proprioception().cpu(), env.tracked_positions().cpu()
    for world in is_looking.nonzero()[:, 0].tolist():
        recording = recordings[int(episode_of[world])]
        for camera, pictures in images.items():
            recording.images[camera].append(pictures[world])
        recording.proprioception.append(proprioception[world])
        recording.tracked.append(tracked[world])
        recording.look_step.append(int(step_of[world]))


def _join(
    env: BatchedEnv, recordings: list[_Recording], look_every: int, num_unstable: int
) -> EpisodeSet:
    """Concatenate recordings into contiguous tensors."""
    lengths = torch.tensor([len(recording.actions) for recording in recordings])
    episode_start = torch.cat((torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)))
    look_step = [
        step + int(start)
        for recording, start in zip(recordings, episode_start[:-1], strict=True)
        for step in recording.look_step
    ]
    return EpisodeSet(
        task=env.task.name,
        images={
            camera: torch.stack([image for r in recordings for image in r.images[camera]])
            for camera in env.cameras
        },
        proprioception=torch.stack([row for r in recordings for row in r.proprioception]),
        tracked=torch.stack([row for r in recordings for row in r.tracked]),
        look_step=torch.tensor(look_step),
        actions=torch.stack([row for r in recordings for row in r.actions]),
        episode_start=episode_start,
        is_success=torch.tensor([r.success_step is not None for r in recordings]),
        look_every=look_every,
        control_dt=env.task.control_dt,
        num_unstable=num_unstable,
    )
