"""A policy in environments, as a teacher, too: what is recorded is what it does."""

from collections.abc import Callable

import pytest
import torch

from lam_agent.checkpoint import load_pretrained
from lam_agent.config import CollectConfig
from lam_agent.demonstrations.collect import collect_episodes
from lam_agent.evaluation.acting import ActingPolicy
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv
from lam_envs.tasks.registry import make_task


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_each_look_is_followed_by_what_the_policy_does_on_it(
    make_policy: Callable[..., VisualActionPolicy], noise: float
) -> None:
    policy = make_policy()
    every = policy.config.execute_length
    episodes = collect_episodes(
        "reach",
        ActingPolicy(policy, make_task("reach").instruction),
        episodes=3,
        seed=0,
        config=CollectConfig(
            noise_std=noise, noisy_fraction=1.0, keep_failures=True, look_every=every, batch=2
        ),
        image_size=policy.config.image_size,
        horizon=3 * every,
        threads=1,
    )
    assert episodes.num_episodes == 3 and len(episodes.look_step) == 9
    observation = {**episodes.images, "proprioception": episodes.proprioception}
    acted = policy.act(observation, bag_of_words(make_task("reach").instruction))
    for look, step in enumerate(episodes.look_step.tolist()):
        done = episodes.actions[step : step + every]
        torch.testing.assert_close(done, acted[look, :every], rtol=0, atol=1e-5)
    assert policy.training  # As it was.


def test_it_succeeds_where_the_policy_does() -> None:
    policy, contract = load_pretrained("lam-tiny")
    horizon = 200
    episodes = collect_episodes(
        "button-press",
        ActingPolicy(policy, make_task("button-press").instruction),
        episodes=4,
        seed=0,
        config=CollectConfig(noise_std=0.0, keep_failures=True, look_every=contract.execute_length),
        image_size=policy.config.image_size,
        horizon=horizon,
        threads=1,
    )
    measured = evaluate(policy, "button-press", episodes=4, split="test", horizon=horizon)
    assert episodes.is_success.float().mean() == measured.success_rate == 1.0


def test_actions_are_in_range_and_the_same_where_checks_are_deferred(
    make_policy: Callable[..., VisualActionPolicy],
) -> None:
    policy = make_policy()
    with torch.no_grad():
        policy.head[-1].bias[:2] = torch.tensor([3.0, -3.0])
    taken = []
    for defer_checks in (False, True):
        env = BatchedEnv("reach", 2, image_size=32, num_threads=1, defer_checks=defer_checks)
        env.reset(seeds=range(2))
        acting = ActingPolicy(policy, env.task.instruction)
        taken.append(torch.stack([acting(env) for _ in range(policy.config.execute_length)]))
    assert torch.equal(*taken)
    assert float(taken[0].max()) == 1.0 and float(taken[0].min()) == -1.0
