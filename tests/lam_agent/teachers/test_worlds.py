"""Worlds for Stable-Baselines3: the same steps as ours, and new episodes where some end."""

from __future__ import annotations

import numpy as np
import torch

from lam_agent.seeding import start_seeds
from lam_agent.teachers.worlds import Worlds
from lam_envs.batched import BatchedEnv


def make(count: int = 3) -> BatchedEnv:
    return BatchedEnv("push", count, cameras=(), horizon=4, num_threads=1)


def test_they_step_as_ours_do_and_begin_anew_where_they_end() -> None:
    worlds, ours = Worlds(make(), seed=5), make()
    seeds = start_seeds("push", "teaching", 9, seed=5)
    states = worlds.reset()
    assert states.dtype == np.float32
    assert np.array_equal(states, ours.reset(seeds=seeds[:3]).float().numpy())
    rng = np.random.default_rng(0)
    for step in range(1, 9):
        actions = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
        found, rewards, ends, infos = worlds.step(actions)
        expected = ours.step(torch.from_numpy(actions))
        assert np.array_equal(rewards, expected.reward.float().numpy())
        assert ends.tolist() == [step % 4 == 0] * 3
        last = expected.state.float().numpy()
        if step % 4:
            assert np.array_equal(found, last) and infos == [{}, {}, {}]
            continue
        assert all(info["TimeLimit.truncated"] for info in infos)
        seen = np.stack([info["terminal_observation"] for info in infos])
        assert np.array_equal(seen, last)
        begun = slice(3 * step // 4, 3 * step // 4 + 3)
        assert np.array_equal(found, ours.reset(seeds=seeds[begun]).float().numpy())


def test_their_starts_are_those_of_no_demonstration_and_no_test() -> None:
    vectors = {
        split: make().task.sample_reset_vectors(
            [np.random.default_rng(s) for s in start_seeds("push", split, 50)]  # type: ignore[arg-type]
        )
        for split in ("teaching", "demonstration", "validation", "test")
    }
    rows = {tuple(row) for part in vectors.values() for row in part}
    assert len(rows) == 4 * 50
    later = start_seeds("push", "teaching", 2, seed=3, first=1)
    assert [s.entropy for s in later] == [
        s.entropy for s in start_seeds("push", "teaching", 3, seed=3)[1:]
    ]
