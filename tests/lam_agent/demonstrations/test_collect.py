"""Demonstrations: independent of the batch, clean labels, ends, what the cameras saw."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lam_agent.config import CollectConfig
from lam_agent.demonstrations.collect import collect_episodes
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError
from lam_agent.seeding import start_seeds
from lam_agent.teachers.scripted import scripted_teacher
from lam_agent.types import Teacher
from lam_envs.batched import CONTROL_DT_S, BatchedEnv

HORIZON = 60
NOISY = CollectConfig(
    noise_std=0.4, noisy_fraction=1.0, keep_failures=True, steps_after_success=5, batch=8
)
CLEAN = replace(NOISY, noise_std=0.0)

TENSORS = ("proprioception", "tracked", "look_step", "actions", "episode_start", "is_success")


def collect(
    config: CollectConfig,
    teacher: Teacher = scripted_teacher,
    *,
    task: str = "reach",
    episodes: int = 8,
    threads: int = 1,
    seed: int = 0,
    horizon: int = HORIZON,
) -> EpisodeSet:
    return collect_episodes(
        task,
        teacher,
        episodes=episodes,
        seed=seed,
        config=config,
        image_size=32,
        horizon=horizon,
        threads=threads,
    )


def assert_equal(found: EpisodeSet, expected: EpisodeSet) -> None:
    for name in TENSORS:
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    for camera, images in expected.images.items():
        assert torch.equal(found.images[camera], images), camera


@pytest.fixture(scope="module")
def noisy() -> EpisodeSet:
    """Eight demonstrations of reach, all executed with noise."""
    return collect(NOISY)


@pytest.fixture(scope="module")
def clean() -> EpisodeSet:
    """The same without noise."""
    return collect(CLEAN)


def lengths(episodes: EpisodeSet) -> list[int]:
    return episodes.episode_start.diff().tolist()


@pytest.mark.parametrize(("batch", "threads"), [(3, 1), (5, 2)])
def test_the_result_depends_neither_on_the_batch_nor_on_threads(
    noisy: EpisodeSet, batch: int, threads: int
) -> None:
    # Worlds begin anew at different steps: some succeed before the horizon, others do not.
    assert len(set(lengths(noisy))) > 2
    assert_equal(collect(replace(NOISY, batch=batch), threads=threads), noisy)


@pytest.mark.parametrize("batch", [3, 8])
def test_failures_give_way_to_the_next_successes(noisy: EpisodeSet, batch: int) -> None:
    config = replace(NOISY, keep_failures=False, batch=batch)
    chosen = noisy.is_success.nonzero()[:, 0].tolist()[:4]
    assert chosen != list(range(4))
    found = collect(config, episodes=4)
    assert found.is_success.tolist() == [True] * 4
    assert found.num_failed == chosen[-1] + 1 - 4
    for number, episode in enumerate(chosen):
        start, stop = noisy.episode_start[episode : episode + 2].tolist()
        first, last = found.episode_start[number : number + 2].tolist()
        assert torch.equal(found.actions[first:last], noisy.actions[start:stop])


def test_a_teacher_that_succeeds_too_seldom_is_an_error() -> None:
    def resting(env: BatchedEnv) -> torch.Tensor:
        return torch.zeros(env.num_envs, 4)

    config = replace(CLEAN, keep_failures=False)
    words = r"teacher of push succeeded in 0 of 28 episodes, too few for 2 demonstrations; .*"
    with pytest.raises(EpisodeError, match=words + "--collect.keep-failures"):
        collect(config, resting, task="push", episodes=2, horizon=4)


def test_more_episodes_keep_the_first_ones(noisy: EpisodeSet) -> None:
    fewer = collect(replace(NOISY, batch=2), episodes=3)
    steps = int(noisy.episode_start[3])
    assert torch.equal(fewer.actions, noisy.actions[:steps])
    assert torch.equal(fewer.is_success, noisy.is_success[:3])


def test_another_seed_gives_other_starts_and_other_noise(noisy: EpisodeSet) -> None:
    other = collect(NOISY, episodes=2, seed=1)
    assert not torch.equal(other.images["front"][0], noisy.images["front"][0])
    assert not torch.equal(other.proprioception[1], noisy.proprioception[1])


def test_labels_are_the_teachers_actions_not_the_executed_ones(clean: EpisodeSet) -> None:
    said: list[torch.Tensor] = []

    def listening(env: BatchedEnv) -> torch.Tensor:
        said.append(env.teacher_actions())
        return said[-1].clone()

    noisy = collect(NOISY, listening)
    actions = torch.stack(said)  # (steps, worlds, 4); each world ran one episode.
    for world, length in enumerate(lengths(noisy)):
        start = int(noisy.episode_start[world])
        assert torch.equal(noisy.actions[start : start + length], actions[:length, world])
    # The first label is said at the same start; from then on noise has moved the hand.
    first, second = int(noisy.look_step[0]), 1
    assert torch.equal(noisy.actions[first], clean.actions[first])
    assert not torch.equal(noisy.proprioception[second], clean.proprioception[second])


def test_a_teacher_that_rests_is_labelled_at_rest_though_noise_moves_it() -> None:
    def resting(env: BatchedEnv) -> torch.Tensor:
        return torch.zeros(env.num_envs, 4)

    moved = collect(NOISY, resting, episodes=2, horizon=20)
    still = collect(CLEAN, resting, episodes=2, horizon=20)
    assert not moved.actions.any() and not still.actions.any()
    drift = (moved.proprioception - still.proprioception)[:, :3].norm(dim=1)
    assert float(drift.max()) > 0.01


@pytest.mark.parametrize("change", [{"noise_std": 0.0}, {"noisy_fraction": 0.0}])
def test_episodes_without_noise_are_the_experts(
    clean: EpisodeSet, change: dict[str, float]
) -> None:
    assert_equal(collect(replace(NOISY, **change)), clean)


def test_a_share_of_the_episodes_is_noisy(noisy: EpisodeSet, clean: EpisodeSet) -> None:
    some = collect(replace(NOISY, noisy_fraction=0.5))

    def hand(episodes: EpisodeSet, number: int) -> torch.Tensor:
        start, stop = episodes.episode_start[number : number + 2].tolist()
        is_of = (episodes.look_step >= start) & (episodes.look_step < stop)
        return episodes.proprioception[is_of]

    kinds = {"noisy": 0, "clean": 0}
    for number in range(some.num_episodes):
        found = hand(some, number)
        if torch.equal(found, hand(clean, number)):
            kinds["clean"] += 1
        elif torch.equal(found, hand(noisy, number)):
            kinds["noisy"] += 1
    assert sum(kinds.values()) == some.num_episodes and min(kinds.values()) > 0


@pytest.mark.parametrize("look_every", [2, 3])
def test_episodes_end_some_steps_after_success_at_a_look(look_every: int) -> None:
    config = replace(CLEAN, look_every=look_every)
    episodes = collect(config, horizon=38)
    env = BatchedEnv("reach", 8, cameras=(), num_threads=1)
    env.reset(seeds=start_seeds("reach", "demonstration", 8, seed=0))
    first_success = torch.full((8,), 1_000)
    for step in range(38):
        # The teacher without noise: its labels are what was executed.
        result = env.step(env.teacher_actions())
        newly = result.is_success & (first_success == 1_000)
        first_success[newly] = step + 1
    expected = [
        min(38, math.ceil((step + 5) / look_every) * look_every) for step in first_success.tolist()
    ]
    assert lengths(episodes) == expected
    assert episodes.is_success.tolist() == (first_success <= 38).tolist()
    assert {True, False} == set(episodes.is_success.tolist())


def test_looks_are_what_the_cameras_see_at_those_steps(clean: EpisodeSet) -> None:
    assert (clean.look_every, clean.control_dt) == (NOISY.look_every, CONTROL_DT_S)
    length = lengths(clean)[2]
    start = int(clean.episode_start[2])
    is_of = (clean.look_step >= start) & (clean.look_step < start + length)
    assert (clean.look_step[is_of] - start).tolist() == list(range(0, length, clean.look_every))
    env = BatchedEnv("reach", 1, image_size=32, num_threads=1)
    env.reset(seeds=start_seeds("reach", "demonstration", 3, seed=0)[2:])
    for frame in is_of.nonzero()[:4, 0].tolist():
        for camera, images in env.images().items():
            assert torch.equal(images[0], clean.images[camera][frame])
        assert torch.equal(env.proprioception()[0], clean.proprioception[frame])
        assert torch.equal(env.tracked_positions()[0], clean.tracked[frame])
        for step in range(clean.look_every):
            env.step(clean.actions[int(clean.look_step[frame]) + step][None])


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    collect_episodes(
        "push",
        scripted_teacher,
        episodes=3,
        seed=0,
        config=replace(CLEAN, batch=2),
        image_size=32,
        horizon=7,
        progress=lambda share, words: shares.append(share),
    )
    assert shares == sorted(shares) and shares[0] < 0.5 and shares[-1] == 1.0


def test_the_teacher_of_push_back_succeeds_where_the_expert_fails() -> None:
    def rate(actions: Callable[[BatchedEnv], torch.Tensor]) -> float:
        env = BatchedEnv("push-back", 16, cameras=(), num_threads=2)
        env.reset(seeds=range(16))
        is_success = torch.zeros(16, dtype=torch.bool)
        for _ in range(180):
            is_success |= env.step(actions(env)).is_success
        return float(is_success.float().mean())

    assert rate(scripted_teacher) > 0.9
    assert rate(BatchedEnv.expert_actions) < 0.8


@pytest.mark.parametrize("task", ["reach", "reach-wall"])
def test_the_teacher_of_reach_ends_well_inside_the_goal(task: str) -> None:
    """The expert brings the hand there; success is measured 4.5 cm below it."""
    env = BatchedEnv(task, 8, cameras=(), num_threads=2)

    def distance(teacher: Teacher) -> float:
        env.reset(seeds=range(8))
        for _ in range(120):
            env.step(teacher(env))
        return float((env.worlds.tcp - env.worlds.start.target_pos).norm(dim=1).max())

    assert distance(scripted_teacher) < 0.025
    assert distance(BatchedEnv.expert_actions) > 0.035


def test_play_moves_the_hand_about_and_keeps_the_teachers_labels() -> None:
    """The labels of play are what the teacher would do where the hand has wandered."""
    config = CollectConfig(noisy_fraction=0.0, play_fraction=1.0, keep_failures=True, batch=2)
    played = collect(config, episodes=2, horizon=120)
    taught = collect(replace(config, play_fraction=0.0), episodes=2, horizon=120)
    assert not bool(played.is_success.all())
    hand = played.proprioception[:, :3]
    assert float((hand.max(0).values - hand.min(0).values).max()) > 0.1
    assert torch.equal(played.actions[0], taught.actions[0])
    assert float((played.actions.abs() > 0.5).float().mean()) > 0.1
