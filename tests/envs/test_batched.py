"""BatchedEnv: resets, steps, horizon, determinism, the experts, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import (
    InvalidActionError,
    InvalidResetError,
    InvalidSettingError,
    SceneError,
    UnknownTaskError,
    UnstableSimulationError,
)
from lam_envs.tasks.reach import Reach
from lam_envs.tasks.registry import task_names

NO_ACTION = torch.zeros(3, 4)

per_task = pytest.mark.parametrize("task", task_names(), scope="module")
"""Of module scope, so that the tests of a task run in a row and its scene is loaded once."""

EXPERT_SUCCESS = {"peg-insert-side": 0.7, "push-back": 0.4, "shelf-place": 0.8}
"""Least share of successes where the original's scripted expert fails more than once in ten."""


SOME = ("reach", "hammer", "drawer-open", "handle-press-side", "stick-push")
"""Tasks for what depends on no task: a free goal, two objects, a joint, a draw that settles,
sensors."""


@pytest.fixture
def push() -> BatchedEnv:
    """Three worlds of push that were reset."""
    env = BatchedEnv("push", 3, cameras=(), num_threads=1)
    env.reset(seeds=[0, 1, 2])
    return env


def random_actions(num_steps: int, num_envs: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(num_steps, num_envs, 4, generator=generator) * 2 - 1


# Resets ----------------------------------------------------------------------------------------


@per_task
def test_the_same_seed_starts_the_same_whatever_was_before(task: str) -> None:
    env = BatchedEnv(task, 3, cameras=(), num_threads=1)
    first = env.reset(seeds=[4, 5, 6])
    for actions in random_actions(10, 3):
        env.step(actions)
    torch.testing.assert_close(env.reset(seeds=[4, 5, 6]), first, rtol=0, atol=0)
    assert not torch.equal(env.reset(seeds=[4, 5, 7])[2], first[2])


@per_task
def test_reset_leaves_the_other_worlds_alone(task: str) -> None:
    actions = random_actions(20, 3)
    steady, resetting = (BatchedEnv(task, 3, cameras=(), num_threads=1) for _ in range(2))
    for env in (steady, resetting):
        env.reset(seeds=[1, 2, 3])
    for step in range(20):
        if step == 10:
            before = {name: resetting.sim.field(name).clone() for name in ("qpos", "qvel", "xpos")}
            state = resetting.reset(torch.tensor([False, True, False]), seeds=[9])
            assert torch.equal(state[[0, 2]], steady.state[[0, 2]])
            for name, value in before.items():
                assert torch.equal(resetting.sim.field(name)[[0, 2]], value[[0, 2]]), name
                assert not torch.equal(resetting.sim.field(name)[1], value[1]), name
        expected, result = steady.step(actions[step]), resetting.step(actions[step])
        for field in ("state", "reward", "is_success"):
            assert torch.equal(getattr(result, field)[[0, 2]], getattr(expected, field)[[0, 2]])
    assert not torch.equal(resetting.state[1], steady.state[1])


def test_a_reset_vector_says_where_things_are(push: BatchedEnv) -> None:
    vectors = torch.tensor([[0.05, 0.65, 0.02, -0.05, 0.85, 0.01]], dtype=torch.float64)
    state = push.reset(torch.tensor([False, False, True]), reset_vectors=vectors)[2]
    torch.testing.assert_close(state[4:6], vectors[0, :2])
    torch.testing.assert_close(state[36:38], vectors[0, 3:5])


def test_puck_and_goal_start_apart() -> None:
    env = BatchedEnv("push", 64, cameras=())
    state = env.reset(seeds=range(64))
    distance = (state[:, 4:6] - state[:, 36:38]).norm(dim=1)
    assert float(distance.min()) >= 0.15 - 1e-9


def test_the_horizon_is_each_worlds_own() -> None:
    env = BatchedEnv("reach", 2, cameras=(), horizon=5, num_threads=1)
    env.reset(seeds=[0, 1])
    truncated = []
    for step in range(8):
        if step == 3:
            env.reset(torch.tensor([True, False]), seeds=[2])
        result = env.step(torch.zeros(2, 4))
        assert not bool(result.terminated.any())
        truncated.append(result.truncated.tolist())
    assert truncated == [[False, False]] * 4 + [[False, True]] * 3 + [[True, True]]


# Steps -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", SOME)
def test_results_do_not_depend_on_threads(task: str) -> None:
    actions = random_actions(30, 5)
    runs = []
    for num_threads in (1, 2):
        env = BatchedEnv(task, 5, cameras=(), num_threads=num_threads)
        states = [env.reset(seeds=range(5))]
        results = [env.step(action) for action in actions]
        runs.append((states + [r.state for r in results], [r.reward for r in results]))
    for one, two in zip(*runs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("task", SOME)
def test_the_expert_succeeds(task: str) -> None:
    env = BatchedEnv(task, 32, cameras=(), horizon=200)
    env.reset(seeds=range(100, 132))
    was_success = torch.zeros(32, dtype=torch.bool)
    while True:
        result = env.step(env.expert_actions())
        was_success |= result.is_success
        assert bool(((result.reward >= 0) & (result.reward <= 10)).all())
        if bool(result.truncated.all()):
            break
    assert float(was_success.float().mean()) >= EXPERT_SUCCESS.get(task, 0.9)


@per_task
def test_doing_nothing_fails(task: str) -> None:
    env = BatchedEnv(task, 8, cameras=())
    env.reset(seeds=range(8))
    assert not any(bool(env.step(torch.zeros(8, 4)).is_success.any()) for _ in range(50))


def test_actions_are_clipped(push: BatchedEnv) -> None:
    state = push.step(torch.full((3, 4), 5.0)).state
    push.reset(seeds=[0, 1, 2])
    assert torch.equal(push.step(torch.ones(3, 4)).state, state)


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"task": 5}, "task is 5; it must be a task or the name of one"),
        ({"cameras": None}, "cameras is None; it must be a list of front, wrist"),
        ({"cameras": "front"}, "cameras is 'front'; it must be a list"),
        ({"randomisation": 0.5}, "randomisation is 0.5; it must be a Randomisation or None"),
        ({"horizon": None}, "horizon is None; it must be a whole number"),
        ({"num_envs": 1.5}, "num_envs is 1.5; it must be a whole number"),
        ({"image_size": "64"}, "image_size is '64'; it must be a whole number"),
        ({"num_envs": 0}, "num_envs is 0; it must be at least 1"),
        ({"image_size": -4}, "image_size is -4; it must be at least 1"),
        ({"horizon": 0}, "horizon is 0; it must be at least 1"),
        ({"num_threads": 0}, "num_threads is 0; it must be at least 1"),
        ({"cameras": ("front", "side")}, "no camera 'side'; the cameras are front, wrist"),
        ({"device": "tpu"}, "device is 'tpu'; it must be cpu, cuda or cuda:NUMBER"),
        ({"device": "cuda:99", "engine": "warp"}, "'cuda:99', but torch finds"),
        ({"on_unstable": "ignore"}, "on_unstable is 'ignore'; it must be raise or drop"),
        ({"engine": "bullet"}, "no engine 'bullet'; the engines are native and warp"),
    ],
)
def test_bad_settings(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        BatchedEnv(**({"task": "reach", "num_envs": 2} | setting))


def test_unknown_task() -> None:
    with pytest.raises(UnknownTaskError, match=r"no task 'puhs' .did you mean 'push'"):
        BatchedEnv("puhs", 2)


def test_missing_scene() -> None:
    class Nowhere(Reach):
        model_file = "sawyer_xyz/nowhere.xml"

    with pytest.raises(
        SceneError, match=r"nowhere.xml' is not in the installed .*`pip install metaworld"
    ):
        BatchedEnv(Nowhere(), 2)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((3, 4)), "actions are a ndarray; they must be a torch.Tensor"),
        (None, "actions are a NoneType"),
        (torch.zeros(2, 4), r"shape \(2, 4\); they must have shape \(3, 4\)"),
        (torch.zeros(3, 3), r"shape \(3, 3\); they must have shape \(3, 4\)"),
        (torch.tensor([[0.0] * 4, [0, torch.nan, 0, 0], [0] * 4]), "world 1 .*must be finite"),
        (torch.tensor([[0.0] * 4, [0] * 4, [0, 0, torch.inf, 0]]), "world 2 .*must be finite"),
    ],
)
def test_bad_actions(push: BatchedEnv, actions: torch.Tensor, message: str) -> None:
    state = push.state.clone()
    with pytest.raises(InvalidActionError, match=message):
        push.step(actions)
    assert torch.equal(push.state, state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": torch.ones(2, dtype=torch.bool)}, r"shape \(2,\).* must have shape \(3,\)"),
        ({"mask": torch.ones(3)}, "type torch.float32; .* type torch.bool"),
        ({"seeds": None}, "either seeds or reset_vectors"),
        ({"reset_vectors": torch.zeros(3, 6)}, "either seeds or reset_vectors"),
        ({"seeds": [1, 2]}, "2 seeds for 3 masked worlds"),
        ({"seeds": None, "reset_vectors": torch.zeros(3, 5)}, r"\(3, 5\); push needs \(3, 6\)"),
        (
            {"seeds": None, "reset_vectors": torch.full((3, 6), torch.nan)},
            "reset vector 0 is .nan.* its numbers must be between -100 and 100",
        ),
        (
            {"seeds": None, "reset_vectors": torch.full((3, 6), 1e30)},
            "reset vector 0 is .1.0.*e.30.* between -100 and 100",
        ),
        ({"seeds": 5}, "seeds is a int; it must be a list"),
        ({"seeds": [1, None, 2]}, "a seed is None; it must be a whole number"),
        ({"seeds": [1, 1.5, 2]}, "a seed is 1.5"),
        ({"seeds": [1, -2, 2]}, "a seed is -2"),
        ({"mask": [True, True, True]}, "reset mask is a list; it must be a torch.Tensor"),
        ({"seeds": None, "reset_vectors": [[0.0] * 6] * 3}, "reset_vectors is a list"),
    ],
)
def test_bad_resets(push: BatchedEnv, arguments: dict[str, Any], message: str) -> None:
    state = push.state.clone()
    with pytest.raises(InvalidResetError, match=message):
        push.reset(**({"seeds": [1, 2, 3]} | arguments))
    assert torch.equal(push.state, state)


def test_step_before_reset() -> None:
    env = BatchedEnv("reach", 3, cameras=(), num_threads=1)
    with pytest.raises(InvalidResetError, match="before reset; reset every world first"):
        env.step(NO_ACTION)
    env.reset(torch.tensor([True, True, False]), seeds=[0, 1])
    with pytest.raises(InvalidResetError, match="before reset"):
        env.step(NO_ACTION)


@pytest.mark.parametrize("value", [np.nan, 1e12])
def test_an_unstable_world_is_named_and_can_be_reset(
    push: BatchedEnv, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to MUJOCO_LOG.TXT.
    push.step(NO_ACTION)
    push.sim.field("qvel")[1, 3] = value
    words = "world 1 of push became unstable in control step 2 .*MuJoCo's warning BAD.*reset that"
    with pytest.raises(UnstableSimulationError, match=words):
        push.step(NO_ACTION)
    with pytest.raises(InvalidResetError, match="reset every world first"):
        push.step(NO_ACTION)
    push.reset(torch.tensor([False, True, False]), seeds=[1])
    assert bool(push.step(NO_ACTION).state.isfinite().all())


@pytest.mark.parametrize("field", ["qvel", "qpos", "mocap_pos"])
def test_an_unstable_world_is_dropped_and_the_others_go_on(
    push: BatchedEnv, field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to MUJOCO_LOG.TXT.
    env = BatchedEnv("push", 3, cameras=(), num_threads=1, on_unstable="drop")
    env.reset(seeds=[0, 1, 2])
    for step, actions in enumerate(random_actions(12, 3)):
        if step in (4, 8):  # The second time, its episode is dropped already.
            env.sim.field(field)[1].fill_(torch.nan)
        result, expected = env.step(actions), push.step(actions)
        assert result.is_unstable.tolist() == [False, step >= 4, False]
        assert result.truncated.tolist() == [False, step >= 4, False]
        assert bool(result.state.isfinite().all())
        assert not bool(result.is_success[1]) and (step < 4 or float(result.reward[1]) == 0)
        for name in ("state", "reward", "is_success"):
            assert torch.equal(getattr(result, name)[[0, 2]], getattr(expected, name)[[0, 2]])
    # A reset gives the world a new life.
    mask = torch.tensor([False, True, False])
    assert torch.equal(env.reset(mask, seeds=[7])[1], push.reset(mask, seeds=[7])[1])
    result, expected = env.step(NO_ACTION), push.step(NO_ACTION)
    assert torch.equal(result.state, expected.state) and not result.is_unstable.any()


def test_a_start_that_does_not_settle_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Far(Reach):
        hand_init_pos = (1e9, 0.6, 0.2)

    env = BatchedEnv(Far(), 2, cameras=(), on_unstable="drop")
    with pytest.raises(UnstableSimulationError, match="hand of reach does not come to rest"):
        env.reset(seeds=[0, 1])
