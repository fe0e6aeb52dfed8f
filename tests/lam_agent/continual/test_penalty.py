"""Quadratic penalties: importances that are per sample, and what they weigh."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.continual import importance
from lam_agent.continual.batches import Frames
from lam_agent.continual.importance import (
    diagonal_fisher,
    equal_importance,
    output_sensitivity,
)
from lam_agent.continual.penalty import PenaltyPlugin
from lam_agent.continual.training_state import load_plugins, plugin_tensors
from lam_agent.policy.policy import VisualActionPolicy

MakePolicy = Callable[..., VisualActionPolicy]
MakeFrames = Callable[..., Frames]
MakeLab = Callable[..., Any]

SAMPLES = 10


def fisher_of(policy: VisualActionPolicy, frames: Frames) -> dict[str, torch.Tensor]:
    return diagonal_fisher(policy, frames, torch.Generator().manual_seed(4), SAMPLES)


def mean_over_samples(
    policy: VisualActionPolicy,
    frames: Frames,
    value: Callable[[torch.Tensor, int], torch.Tensor],
    size: Callable[[torch.Tensor], torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Return the mean size of the gradient of a value of each frame's actions, one by one."""
    mean = {name: torch.zeros_like(p) for name, p in policy.named_parameters()}
    for sample in range(len(frames)):
        one = frames.select(torch.tensor([sample]))
        policy.zero_grad()
        output = policy(one.images, one.proprioception, one.bag[None])
        value(output.actions[0], sample).backward()
        for name, parameter in policy.named_parameters():
            if parameter.grad is not None:
                mean[name] += size(parameter.grad) / len(frames)
    return mean


def assert_close(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-3, atol=1e-6, msg=name)


# Fisher ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_the_fisher_does_not_depend_on_the_chunking(
    make_policy: MakePolicy,
    make_frames: MakeFrames,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
) -> None:
    policy, frames = make_policy(), make_frames(30)
    expected = fisher_of(policy, frames)
    monkeypatch.setattr(importance, "_CHUNK", chunk)
    for name, values in fisher_of(policy, frames).items():
        torch.testing.assert_close(values, expected[name], rtol=1e-3, atol=1e-6, msg=name)


def test_the_fisher_is_the_mean_of_each_samples_squared_gradient(
    make_policy: MakePolicy, make_frames: MakeFrames
) -> None:
    policy, frames = make_policy(), make_frames(30)
    found = fisher_of(policy, frames)
    generator = torch.Generator().manual_seed(4)
    index = torch.randint(len(frames), (SAMPLES,), generator=generator)
    signs = torch.randint(0, 2, (SAMPLES, 4, 4), generator=generator) * 2.0 - 1.0
    expected = mean_over_samples(
        policy,
        frames.select(index),
        lambda actions, sample: (actions * signs[sample]).sum(),
        torch.square,
    )
    assert_close(found, expected)
    assert float(found["head.5.bias"].min()) == pytest.approx(1.0)


def test_the_fisher_leaves_the_policy_as_it_was_and_skips_frozen_weights(
    make_policy: MakePolicy, make_frames: MakeFrames
) -> None:
    policy, frames = make_policy(), make_frames(5)
    policy.encoders.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in policy.named_parameters()}
    fisher = fisher_of(policy, frames)
    assert {name.partition(".")[0] for name in before} - {"encoders"} == {
        name.partition(".")[0] for name in fisher
    }
    for name, parameter in policy.named_parameters():
        assert torch.equal(parameter, before[name]) and parameter.grad is None


# Other importances -----------------------------------------------------------------------------


def test_the_sensitivity_is_the_mean_of_each_samples_absolute_gradient(
    make_policy: MakePolicy, make_frames: MakeFrames
) -> None:
    policy, frames = make_policy(), make_frames(30)
    found = output_sensitivity(policy, frames, torch.Generator().manual_seed(4), SAMPLES)
    index = torch.randint(30, (SAMPLES,), generator=torch.Generator().manual_seed(4))
    expected = mean_over_samples(
        policy, frames.select(index), lambda actions, _: actions.square().sum(), torch.abs
    )
    assert_close(found, expected)


def test_equal_importance_is_one_for_what_is_trained(make_policy: MakePolicy) -> None:
    policy = make_policy()
    policy.encoders.requires_grad_(False)
    found = equal_importance(policy)
    trained = {name: p for name, p in policy.named_parameters() if p.requires_grad}
    assert set(found) == set(trained) and len(found) > 0
    assert all(torch.equal(found[name], torch.ones_like(p)) for name, p in trained.items())


# Penalty ---------------------------------------------------------------------------------------


def penalty(lab: Any) -> torch.Tensor:
    """Return what the plugin adds to a loss of zero."""
    (plugin,) = lab.plugins
    lab.strategy.loss = torch.zeros(())
    plugin.before_backward(lab.strategy)
    loss: torch.Tensor = lab.strategy.loss
    return loss


def test_the_penalty_is_zero_before_the_first_task_and_at_the_anchor(make_lab: MakeLab) -> None:
    lab = make_lab("ewc")
    assert float(penalty(lab)) == 0.0
    lab.train(0)
    assert float(penalty(lab).detach()) == 0.0


@pytest.mark.parametrize("strategy", ["ewc", "mas", "l2"])
def test_the_penalty_and_its_gradient_are_those_of_the_formula(
    make_lab: MakeLab, strategy: str
) -> None:
    lab = make_lab(strategy)
    lab.train(0)
    (plugin,) = lab.plugins
    generator = torch.Generator().manual_seed(2)
    drift = {
        name: 0.01 * torch.randn(p.shape, generator=generator)
        for name, p in lab.strategy.model.named_parameters()
    }
    with torch.no_grad():
        for name, parameter in lab.strategy.model.named_parameters():
            parameter += drift[name]
    lab.strategy.model.zero_grad()
    loss = penalty(lab)
    loss.backward()
    expected = sum((plugin.importance[n] * d.square()).sum() for n, d in drift.items())
    torch.testing.assert_close(loss.detach(), 0.5 * plugin.strength * expected, rtol=1e-3, atol=0)
    for name, parameter in lab.strategy.model.named_parameters():
        torch.testing.assert_close(
            parameter.grad,
            plugin.strength * plugin.importance[name] * drift[name],
            rtol=1e-2,
            atol=1e-3,
            msg=name,
        )


def test_what_is_kept_is_two_numbers_a_weight_for_any_number_of_tasks(make_lab: MakeLab) -> None:
    lab = make_lab("ewc", adapt="trunk")
    assert lab.plugins[0].num_bytes == 0
    for position in (0, 1):
        lab.train(position)
        trained = lab.strategy.model.num_parameters(trainable=True)
        assert lab.plugins[0].num_bytes == 2 * 4 * trained


def test_importances_add_up_and_the_anchor_moves_on(make_lab: MakeLab) -> None:
    lab = make_lab("ewc")
    (plugin,) = lab.plugins
    lab.train(0)
    first = {name: values.clone() for name, values in plugin.importance.items()}
    anchor = {name: values.clone() for name, values in plugin.anchor.items()}
    assert all(torch.equal(anchor[name], value) for name, value in lab.weights().items())
    lab.train(1)
    assert all(bool((plugin.importance[name] >= first[name]).all()) for name in first)
    assert any(bool((plugin.importance[name] > first[name]).any()) for name in first)
    assert all(torch.equal(plugin.anchor[name], value) for name, value in lab.weights().items())
    assert any(not torch.equal(plugin.anchor[name], anchor[name]) for name in anchor)


@pytest.mark.parametrize("strategy", ["ewc", "mas", "l2"])
def test_a_strong_penalty_holds_the_weights(make_lab: MakeLab, strategy: str) -> None:
    moved = []
    for strength in (0.0, 1e6):
        lab = make_lab(strategy, max_steps=10, validate_every=10)
        lab.plugins[0].strength = strength
        lab.train(0)
        importance, before = lab.plugins[0].importance, lab.weights()
        lab.train(1)
        after = lab.weights()
        weighted = [importance[n].mul((after[n] - before[n]).square()).sum() for n in before]
        moved.append(float(torch.stack(weighted).sum()))
    assert moved[1] < 0.2 * moved[0]


def test_importances_and_anchors_survive_a_file(make_lab: MakeLab) -> None:
    lab = make_lab("ewc")
    lab.train(0)
    loaded = PenaltyPlugin("ewc", 1.0, diagonal_fisher)
    load_plugins([loaded], plugin_tensors(lab.plugins), torch.device("cpu"))
    for name in ("importance", "anchor"):
        expected = getattr(lab.plugins[0], name)
        found = getattr(loaded, name)
        assert set(found) == set(expected) and len(found) > 0
        assert all(torch.equal(found[key], value) for key, value in expected.items())
