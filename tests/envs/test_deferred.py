"""Deferred checks: steps and resets never wait for their device; `check` tells what they noted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import (
    InvalidActionError,
    InvalidResetError,
    TaskLoadError,
    UnstableSimulationError,
)
from lam_envs.randomisation.ranges import MODERATE, Randomisation
from lam_envs.sim.buffers import Room
from lam_envs.tasks.base import Outcome
from lam_envs.tasks.push import Push
from lam_envs.tasks.registry import task_names

Refused = Callable[..., AbstractContextManager[object]]

NO_ACTION = torch.zeros(3, 4)
ONE = torch.tensor([False, True, False])


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


def run_a_while(env: BatchedEnv, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Step, reset some worlds, step on and look, as a rollout does."""
    for seeds in ([7], [8]):
        for _ in range(4):
            result = env.step(env.teacher_actions())
            env.expert_actions()
        env.reset(mask, seeds=seeds)
    result = env.step(env.expert_actions())
    env.proprioception()
    env.tracked_positions()
    return {"state": result.state, "reward": result.reward, **env.images()}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["push", "hammer", "drawer-open", "stick-push", "door-lock"])
@pytest.mark.parametrize("randomisation", [None, MODERATE], ids=["plain", "randomised"])
def test_steps_and_resets_on_the_warp_engine_do_not_wait(
    task: str, randomisation: Randomisation | None, waiting_refused: Refused
) -> None:
    env = make_env(task, engine="warp", randomisation=randomisation)
    env.reset(seeds=[0, 1, 2])
    run_a_while(env, ONE)
    env.reset(seeds=[0, 1, 2])
    first = env.images()
    with waiting_refused(ONE):
        found = run_a_while(env, ONE)
    env.check()
    assert all(bool((found[name] != first[name]).any()) for name in first)
    assert bool(found["state"].isfinite().all())


@pytest.mark.parametrize("task", task_names())
def test_no_task_waits_in_a_step_or_a_reset(task: str, waiting_refused: Refused) -> None:
    env = make_env(task, cameras=())
    env.reset(seeds=[0, 1, 2])
    run_a_while(env, ONE)
    env.reset(seeds=[0, 1, 2])
    with waiting_refused(ONE):
        found = run_a_while(env, ONE)
    env.check()
    other = BatchedEnv(task, 3, cameras=(), num_threads=1)
    other.reset(seeds=[0, 1, 2])
    for name, value in run_a_while(other, ONE).items():
        assert torch.equal(value, found[name]), name


@pytest.mark.parametrize(
    "wait",
    [
        lambda values, mask: values[mask],
        lambda values, mask: values.__setitem__(mask, 0.0),
        lambda values, mask: values[:, [0, 1]],
        lambda values, mask: values.new_tensor((1.0, 2.0)),
        lambda values, mask: bool(mask.any()),
        lambda values, mask: torch.nonzero(mask),
    ],
)
def test_what_waits_is_refused(
    wait: Callable[[torch.Tensor, torch.Tensor], object], waiting_refused: Refused
) -> None:
    with waiting_refused(), pytest.raises(AssertionError, match="this waits for the device"):
        wait(torch.zeros(3, 2), ONE)


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


def spoil(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let a method of push give NaN in world 1."""
    original = getattr(Push, method)

    def spoilt(self: Push, *arguments: Any) -> Any:
        gives = original(self, *arguments)
        (gives.reward if isinstance(gives, Outcome) else gives)[1] = torch.nan
        return gives

    monkeypatch.setattr(Push, method, spoilt)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("expert", "expert of push gives NaN or infinity in world 1; it must give finite numbers"),
        ("object_poses", "object_poses of push gives NaN"),
        ("evaluate", "the reward of evaluate of push gives NaN"),
    ],
)
def test_what_a_task_gives_that_is_not_finite_is_told_later(
    method: str, message: str, monkeypatch: pytest.MonkeyPatch, waiting_refused: Refused
) -> None:
    env = make_env(cameras=())
    env.reset(seeds=[0, 1, 2])
    env.step(env.teacher_actions())
    spoil(monkeypatch, method)
    with waiting_refused(ONE):
        env.step(env.teacher_actions())
    with pytest.raises(TaskLoadError, match=message):
        env.check()
    env.check()  # It is told once.


@pytest.mark.parametrize("defer_checks", [False, True])
def test_what_a_task_gives_for_a_broken_world_is_not_told(
    defer_checks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = BatchedEnv(
        "push", 3, num_threads=1, cameras=(), on_unstable="drop", defer_checks=defer_checks
    )
    env.reset(seeds=[0, 1, 2])
    env.sim.field("qvel")[1, 3] = torch.nan
    env.step(NO_ACTION)
    for method in ("expert", "object_poses", "evaluate"):
        spoil(monkeypatch, method)
    env.expert_actions()
    assert env.step(NO_ACTION).is_unstable.tolist() == [False, True, False]
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
    env.reset(ONE, seeds=[1])
    assert not bool(env.step(NO_ACTION).is_unstable.any())
    env.check()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "warp"])
def test_a_broken_world_that_is_reset_goes_on_and_is_told_later(engine: str) -> None:
    env, other = (make_env(engine=engine, cameras=()) for _ in range(2))
    for each in (env, other):
        each.reset(seeds=[0, 1, 2])
        each.step(NO_ACTION)
    env.sim.field("qvel")[1, 3] = torch.nan
    for each in (env, other):
        each.step(NO_ACTION)
        each.reset(ONE, seeds=[1])
        for _ in range(3):
            result = each.step(NO_ACTION)
            assert not bool(result.is_unstable.any())
            assert bool(result.state.isfinite().all())
    torch.testing.assert_close(env.state, other.state, rtol=0, atol=1e-4)
    before = env.state.clone()
    with pytest.raises(UnstableSimulationError, match=r"world 1 of push .* control step 2 of"):
        env.check()
    assert torch.equal(env.step(NO_ACTION).state[:, 18:36], before[:, :18])  # It is not parked.
    env.check()  # It is told once.


def test_dropped_worlds_stay_so_until_they_are_reset() -> None:
    env = make_env(on_unstable="drop")
    env.reset(seeds=[0, 1, 2])
    env.sim.field("qvel")[1, 3] = torch.nan
    env.step(NO_ACTION)
    env.check()
    assert env.step(NO_ACTION).is_unstable.tolist() == [False, True, False]
    env.reset(ONE, seeds=[1])
    result = env.step(NO_ACTION)
    assert not bool(result.is_unstable.any()) and bool(result.state.isfinite().all())


def test_a_reset_leaves_what_was_noted_to_the_check() -> None:
    env = make_env()
    env.reset(seeds=[0, 1, 2])
    env.step(torch.full((3, 4), torch.nan))
    env.reset(seeds=[0, 1, 2])
    with pytest.raises(InvalidActionError, match="world 0"):
        env.check()


@pytest.mark.slow
def test_a_world_that_breaks_in_a_reset_is_dropped_and_told_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lam_envs.batched.room_of", lambda task: Room(1, 400))
    env = make_env(engine="warp", cameras=())
    env.reset(seeds=[0, 1, 2])
    result = env.step(NO_ACTION)
    assert bool(result.is_unstable.all()) and bool(result.state.isfinite().all())
    with pytest.raises(UnstableSimulationError, match=r"control step 0 of .*a full buffer"):
        env.check()
