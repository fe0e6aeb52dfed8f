"""Recording: what all worlds do, step by step, on their device; episodes are cut out of it.

Nothing leaves the device before an episode ends, and nothing is copied world by world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from lam_agent.episodes import EpisodeSet
from lam_envs.batched import BatchedEnv


@dataclass(frozen=True)
class RecordedEpisode:
    """One episode, on the CPU.

    Attributes:
        images: Camera -> RGB of each look, (F, H, W, 3), uint8.
        proprioception: At each look, (F, 4).
        tracked: Object and goal position at each look, (F, 6), metres.
        actions: Clean actions, (S, 4).
        is_success: Whether it succeeded at any step.
        is_unstable: Whether its physics broke.
    """

    images: dict[str, torch.Tensor]
    proprioception: torch.Tensor
    tracked: torch.Tensor
    actions: torch.Tensor
    is_success: bool
    is_unstable: bool


class Recording:
    """Records the worlds of an environment from when they begin an episode.

    Args:
        env: The environment.
        look_every: Steps between two looks of an episode; its first step has one.
    """

    def __init__(self, env: BatchedEnv, look_every: int) -> None:
        self._env = env
        self._look_every = look_every
        self._step = 0
        self._begun: dict[int, int] = {}  # World -> the first step of the episode that it runs.
        self._looks: dict[int, tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]] = {}
        self._actions: dict[int, torch.Tensor] = {}
        self._success_step = torch.full((env.num_envs,), -1, device=env.device)
        self._is_unstable = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)

    def begin(self, worlds: Sequence[int]) -> None:
        """Begin an episode in some worlds, at the current step."""
        for world in worlds:
            self._begun[world] = self._step
        self._success_step[list(worlds)] = -1
        self._is_unstable[list(worlds)] = False
        oldest = min(self._begun.values())
        for kept in (self._looks, self._actions):
            for step in [step for step in kept if step < oldest]:
                del kept[step]

    def steps(self, world: int) -> int:
        """Return how many steps a world's episode has."""
        return self._step - self._begun[world]

    def look(self) -> None:
        """Record what all worlds see now; once a step at most."""
        env = self._env
        self._looks[self._step] = env.images(), env.proprioception(), env.tracked_positions()

    def act(
        self, actions: torch.Tensor, is_success: torch.Tensor, is_unstable: torch.Tensor
    ) -> None:
        """Record a step that all worlds have made.

        Args:
            actions: What the teacher did or would do, (N, 4); it must not be written later.
            is_success: Whether each world's predicate holds after it, (N,), bool.
            is_unstable: Whether each world's physics is broken after it, (N,), bool.
        """
        self._actions[self._step] = actions
        self._step += 1
        is_first = is_success & (self._success_step < 0)
        self._success_step = torch.where(is_first, self._step, self._success_step)
        self._is_unstable |= is_unstable

    def ends(self, horizon: int, steps_after_success: int) -> dict[int, int]:
        """Return after how many steps each world's episode ends; this waits for the device."""
        ends = {}
        first, is_unstable = self._success_step.tolist(), self._is_unstable.tolist()
        for world, begun in self._begun.items():
            ends[world] = 0 if is_unstable[world] else horizon
            if first[world] >= 0:
                ends[world] = min(ends[world], first[world] - begun + steps_after_success)
        return ends

    def end(self, world: int) -> RecordedEpisode:
        """End the episode of a world with the last step, and return it."""
        steps = range(self._begun.pop(world), self._step)
        seen = [self._looks[step] for step in steps[:: self._look_every]]
        return RecordedEpisode(
            images={
                camera: torch.stack([images[camera][world] for images, _, _ in seen]).cpu()
                for camera in self._env.cameras
            },
            proprioception=torch.stack([feeling[world] for _, feeling, _ in seen]).cpu(),
            tracked=torch.stack([tracked[world] for _, _, tracked in seen]).cpu(),
            actions=torch.stack([self._actions[step][world] for step in steps]).cpu(),
            is_success=bool(self._success_step[world] >= 0),
            is_unstable=bool(self._is_unstable[world]),
        )


def join(
    env: BatchedEnv,
    episodes: Sequence[RecordedEpisode],
    look_every: int,
    *,
    num_unstable: int,
    num_failed: int,
) -> EpisodeSet:
    """Concatenate episodes into contiguous tensors.

    Args:
        env: Where they were recorded.
        episodes: One or more.
        look_every: Control steps between two looks.
        num_unstable: Episodes that were left out because their physics broke.
        num_failed: Episodes that were left out because the teacher failed.
    """
    lengths = torch.tensor([len(episode.actions) for episode in episodes])
    episode_start = torch.cat((torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)))
    look_step = [
        step
        for start, stop in pairwise(episode_start.tolist())
        for step in range(start, stop, look_every)
    ]
    return EpisodeSet(
        task=env.task.name,
        images={
            camera: torch.cat([episode.images[camera] for episode in episodes])
            for camera in env.cameras
        },
        proprioception=torch.cat([episode.proprioception for episode in episodes]),
        tracked=torch.cat([episode.tracked for episode in episodes]),
        look_step=torch.tensor(look_step),
        actions=torch.cat([episode.actions for episode in episodes]),
        episode_start=episode_start,
        is_success=torch.tensor([episode.is_success for episode in episodes]),
        look_every=look_every,
        control_dt=env.task.control_dt,
        num_unstable=num_unstable,
        num_failed=num_failed,
    )
