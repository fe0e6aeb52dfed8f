"""Deferred checks: steps never wait for their device, and `check` tells what they noted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidActionError, InvalidResetError, UnstableSimulationError

Refused = Callable[[], AbstractContextManager[None]]

NO_ACTION = torch.zeros(3, 4)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MuJoCo writes its warnings to MUJOCO_LOG.TXT."""
    monkeypatch.chdir(tmp_path)


def make_env(task: str = "push", **settings: Any) -> BatchedEnv:
    return BatchedEnv(task, 3, num_threads=1, image_size=16, defer_checks=True, **settings)


def test_the_results_are_those_of_immediate_checks() -> None:
    deferred, immediate = make_env(cameras=()), BatchedEnv("push", 3, cameras=(), num_threads=1)
    for env in (deferred, immediate):
        env.reset(seeds=[0, 1, 2])
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        actions = 3 * torch.rand(3, 4, generator=generator) - 1.5
        found, expected = deferred.step(actions), immediate.step(actions)
        for name, value in vars(expected).items():
            assert torch.equal(getattr(found, name), value), name
    deferred.check()


@pytest.mark.slow
@pytest.mark.parametrize("task", ["push", "hammer", "drawer-open", "stick-push"])
def test_a_step_on_the_warp_engine_does_not_wait(task: str, waiting_refused: Refused) -> None:
    env = make_env(task, engine="warp")
    env.reset(seeds=[0, 1, 2])
    first = env.images()
    actions = env.expert_actions()
    with waiting_refused():
        for _ in range(8):
            result = env.step(actions)
            actions = env.expert_actions()
        env.proprioception()
        env.tracked_positions()
        images = env.images()
    env.check()
    assert bool(result.state.isfinite().all())
    assert all(bool((images[name] != first[name]).any()) for name in first)


def test_a_bad_action_counts_as_none_and_is_told_later() -> None:
    env, other = make_env(), make_env()
    for each in (env, other):
        each.reset(seeds=[0, 1, 2])
    bad = NO_ACTION.clone()
    bad[1, 2] = torch.inf
    found, expected = env.step(bad), other.step(NO_ACTION)
    assert torch.equal(found.state, expected.state)
    with pytest.raises(InvalidActionError, match="an action of world 1 was not finite"):
        env.check()
    env.check()  # It is told once.


def test_a_step_before_the_first_reset_is_told_later() -> None:
    env = make_env()
    env.step(NO_ACTION)
    with pytest.raises(InvalidResetError, match="step was called before reset"):
        env.check()
    env.reset(seeds=[0, 1, 2])
    env.step(NO_ACTION)
    env.check()


def test_a_broken_world_is_dropped_at_once_and_named_later() -> None:
    env = make_env()
    env.reset(seeds=[0, 1, 2])
    env.step(NO_ACTION)
    env.sim.field("qvel")[1, 3] = torch.nan
    for _ in range(3):
        result = env.step(NO_ACTION)
        assert result.is_unstable.tolist() == [False, True, False]
        assert float(result.reward[1]) == 0.0 and bool(result.state.isfinite().all())
        assert bool(env.proprioception().isfinite().all())
        assert all(len(image) == 3 for image in env.images().values())
    with pytest.raises(UnstableSimulationError, match=r"world 1 of push .* control step 2 of"):
        env.check()
    env.reset(torch.tensor([False, True, False]), seeds=[1])
    assert not bool(env.step(NO_ACTION).is_unstable.any())
    env.check()


def test_dropped_worlds_stay_so_until_they_are_reset() -> None:
    env = make_env(on_unstable="drop")
    env.reset(seeds=[0, 1, 2])
    env.sim.field("qvel")[1, 3] = torch.nan
    env.step(NO_ACTION)
    env.check()
    assert env.step(NO_ACTION).is_unstable.tolist() == [False, True, False]
    env.reset(torch.tensor([False, True, False]), seeds=[1])  # It checks, too.
    result = env.step(NO_ACTION)
    assert not bool(result.is_unstable.any()) and bool(result.state.isfinite().all())


def test_a_reset_tells_what_was_noted() -> None:
    env = make_env()
    env.reset(seeds=[0, 1, 2])
    env.step(torch.full((3, 4), torch.nan))
    with pytest.raises(InvalidActionError, match="world 0"):
        env.reset(seeds=[0, 1, 2])
