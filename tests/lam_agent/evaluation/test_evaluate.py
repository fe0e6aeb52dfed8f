"""One evaluation: the same twice, the same starts, success and reward as the environment says."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

import pytest
import torch

from lam_agent.errors import TrainingError
from lam_agent.evaluation.evaluate import MAX_BATCH, Evaluation, evaluate, even_batch
from lam_agent.evaluation.evaluate import _roll_out as roll_out
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import start_seeds
from lam_agent.types import no_progress
from lam_envs.batched import BatchedEnv, StepResult

MakePolicy = Callable[..., VisualActionPolicy]
Refused = Callable[..., AbstractContextManager[object]]

FORWARD = (0.0, 1.0, 0.0, -1.0)
"""Hand straight away from the robot: it passes some of reach's goals and stops behind them."""


def run(
    policy: VisualActionPolicy, episodes: int, *, horizon: int = 6, threads: int = 1
) -> Evaluation:
    return evaluate(
        policy, "reach", episodes=episodes, split="test", horizon=horizon, threads=threads
    )


def assert_same(found: Evaluation, expected: Evaluation) -> None:
    for name in ("is_success", "is_success_at_end", "reward"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


@pytest.fixture
def blind(make_policy: MakePolicy) -> VisualActionPolicy:
    """A policy whose every action is FORWARD."""
    policy = make_policy()
    layer = policy.head[-1]
    assert isinstance(layer, torch.nn.Linear)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor(FORWARD).repeat(policy.config.chunk_length))
    return policy


# Repeatability ---------------------------------------------------------------------------------


def test_the_same_policy_gives_the_same_twice_whatever_was_between(
    make_policy: MakePolicy,
) -> None:
    first = run(make_policy(), 3)
    run(make_policy(seed=4), 3)
    assert_same(run(make_policy(), 3, threads=2), first)
    assert not torch.equal(run(make_policy(seed=4), 3).reward, first.reward)


def test_fewer_episodes_are_the_first_of_more(make_policy: MakePolicy) -> None:
    policy = make_policy()
    more, fewer = run(policy, 5), run(policy, 3)
    # Batches of other sizes may round otherwise; the starts, hence the rewards, are the same.
    torch.testing.assert_close(fewer.reward, more.reward[:3], rtol=1e-3, atol=0)
    assert len(set(more.reward.tolist())) == 5


def test_episodes_beyond_one_batch_leave_the_first_ones_exactly_alone(
    make_policy: MakePolicy,
) -> None:
    policy = make_policy()
    one, two = run(policy, MAX_BATCH, horizon=2), run(policy, MAX_BATCH + 3, horizon=2)
    assert len(two.is_success) == MAX_BATCH + 3
    assert torch.equal(two.reward[:MAX_BATCH], one.reward)
    assert len(set(two.reward.tolist())) == MAX_BATCH + 3


@pytest.mark.parametrize(
    ("episodes", "size"), [(1, 1), (50, 50), (64, 64), (65, 33), (100, 50), (129, 43), (1000, 63)]
)
def test_batches_are_few_and_even(episodes: int, size: int) -> None:
    assert even_batch(episodes, 64) == size
    num_batches = -(-episodes // 64)
    assert (num_batches - 1) * size < episodes <= num_batches * size


def test_validation_and_test_measure_other_starts(make_policy: MakePolicy) -> None:
    policy = make_policy()
    validation = evaluate(policy, "reach", episodes=3, split="validation", horizon=6, threads=1)
    assert not torch.equal(validation.reward, run(policy, 3).reward)


def test_the_policy_is_left_as_it_was(make_policy: MakePolicy) -> None:
    policy = make_policy().train()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    run(policy, 2)
    assert policy.training
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())


# What is measured ------------------------------------------------------------------------------


def test_success_and_reward_are_those_of_the_environment(blind: VisualActionPolicy) -> None:
    episodes, horizon = 24, 50
    found = run(blind, episodes, horizon=horizon)
    env = BatchedEnv("reach", episodes, cameras=(), num_threads=1)
    env.reset(seeds=start_seeds("reach", "test", episodes))
    at_any = torch.zeros(episodes, dtype=torch.bool)
    reward = torch.zeros(episodes, dtype=torch.float64)
    for _ in range(horizon):
        result = env.step(torch.tensor(FORWARD).expand(episodes, 4))
        at_any |= result.is_success
        reward += result.reward
    assert torch.equal(found.is_success, at_any)
    assert torch.equal(found.is_success_at_end, result.is_success)
    torch.testing.assert_close(found.reward, reward)
    # The hand passes goals without stopping there, so that both measures differ.
    assert 0 < int(found.is_success_at_end.sum()) < int(found.is_success.sum()) < episodes
    assert found.success_rate == pytest.approx(float(at_any.double().mean()))


def test_a_chunk_is_executed_as_far_as_the_policy_says(make_policy: MakePolicy) -> None:
    # Two actions of each chunk of four are executed: hand forward, then back.
    policy = make_policy()
    layer = policy.head[-1]
    assert isinstance(layer, torch.nn.Linear)
    back, wild = (0.0, -1.0, 0.0, -1.0), (1.0, 1.0, 1.0, 1.0)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor((FORWARD, back, wild, wild)).flatten())
    found = run(policy, 2, horizon=5)
    env = BatchedEnv("reach", 2, cameras=(), num_threads=1)
    env.reset(seeds=start_seeds("reach", "test", 2))
    reward = torch.zeros(2, dtype=torch.float64)
    for step in range(5):
        action = FORWARD if step % 2 == 0 else back
        reward += env.step(torch.tensor(action).expand(2, 4)).reward
    torch.testing.assert_close(found.reward, reward)


def test_a_batch_may_end_once_all_its_episodes_have_succeeded(
    blind: VisualActionPolicy,
) -> None:
    horizon, succeeded = 40, run(blind, 16, horizon=40).is_success
    starts = start_seeds("reach", "test", 16)
    lucky = [starts[i] for i in succeeded.nonzero()[:, 0].tolist()]
    assert 0 < len(lucky) < len(starts)
    for whole, seeds in ((True, lucky), (False, lucky), (False, starts)):
        env = BatchedEnv("reach", len(seeds), image_size=32, horizon=horizon)
        steps = []
        step = env.step
        env.step = lambda actions, step=step, steps=steps: steps.append(1) or step(actions)  # type: ignore[method-assign,func-returns-value]
        found = roll_out(blind, env, seeds, 0.0, 1.0, is_whole=whole, progress=no_progress)[0]
        assert bool(found.all()) is (seeds is lucky)
        assert (len(steps) < horizon) is (not whole and seeds is lucky)


@pytest.fixture(scope="module")
def deferring() -> BatchedEnv:
    """Worlds on the warp engine whose checks are deferred, as on a GPU."""
    return BatchedEnv("reach", 3, image_size=32, horizon=6, engine="warp", defer_checks=True)


def test_a_rollout_with_deferred_checks_is_the_same_and_does_not_wait(
    make_policy: MakePolicy,
    deferring: BatchedEnv,
    waiting_refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, seeds = make_policy(), start_seeds("reach", "test", 3)
    immediate = BatchedEnv("reach", 3, image_size=32, horizon=6, engine="warp")
    expected = roll_out(policy, immediate, seeds, 0.0, 1.0, is_whole=True, progress=no_progress)
    rollout, step, left = ExitStack(), deferring.step, [deferring.horizon]

    def step_and_count(actions: torch.Tensor) -> StepResult:
        if left[0] == deferring.horizon:  # Renderers are made, starts are drawn: now it runs.
            rollout.enter_context(waiting_refused())
        result = step(actions)
        left[0] -= 1
        if not left[0]:
            rollout.close()
        return result

    monkeypatch.setattr(deferring, "step", step_and_count)
    with rollout:
        found = roll_out(policy, deferring, seeds, 0.0, 1.0, is_whole=True, progress=no_progress)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    assert left == [0]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_actions_that_are_not_finite_are_told_though_checks_are_deferred(
    blind: VisualActionPolicy, deferring: BatchedEnv, value: float
) -> None:
    with torch.no_grad():
        blind.head[-1].bias[2] = value
    seeds = start_seeds("reach", "test", 3)
    with pytest.raises(TrainingError, match="actions hold NaN or infinity"):
        roll_out(blind, deferring, seeds, 0.0, 1.0, is_whole=True, progress=no_progress)


def test_progress_rises_below_one(make_policy: MakePolicy) -> None:
    shares: list[float] = []
    evaluate(
        make_policy(),
        "reach",
        episodes=2,
        split="test",
        horizon=6,
        threads=1,
        progress=lambda share, words: shares.append(share),
    )
    assert shares == pytest.approx([0.0, 1 / 3, 2 / 3])
