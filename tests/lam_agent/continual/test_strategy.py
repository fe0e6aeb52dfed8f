"""The Avalanche loop: optimiser, stopping, best weights, guards, determinism, resuming."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from lam_agent.continual.batches import Frames
from lam_agent.continual.training_state import load_plugins, plugin_tensors
from lam_agent.errors import TrainingError

STRATEGIES = ("naive", "replay", "packnet", "ewc", "mas", "l2", "agem", "cumulative")

MakeLab = Callable[..., Any]
Weights = dict[str, torch.Tensor]


def assert_same(found: Weights, expected: Weights) -> None:
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def is_same(found: Weights, expected: Weights) -> bool:
    return all(torch.equal(found[name], value) for name, value in expected.items())


class Watcher:
    """A plugin that notes the optimiser's steps, learning rates and the gradient's norm."""

    def __init__(self) -> None:
        self.adam_steps: list[float] = []
        self.rates: list[float] = []
        self.norms: list[float] = []
        self.losses: list[float] = []

    def after_update(self, strategy: Any, **kwargs: Any) -> None:
        optimizer = strategy.optimizer
        trained = [p for p in strategy.model.parameters() if p.grad is not None]
        self.adam_steps.append(float(optimizer.state[trained[0]]["step"]))
        self.rates.append(optimizer.param_groups[0]["lr"])
        self.norms.append(float(torch.stack([p.grad.norm() for p in trained]).norm()))
        self.losses.append(float(strategy.loss.detach()))


# Plugins of Avalanche's own --------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # Of Avalanche's plugin.
def test_avalanches_synaptic_intelligence_sees_weights_move(make_lab: MakeLab) -> None:
    from avalanche.training.plugins import SynapticIntelligencePlugin

    plugin = SynapticIntelligencePlugin(si_lambda=1e6)
    held, free = make_lab(watchers=[plugin], max_steps=5), make_lab(max_steps=5)
    for lab in (held, free):
        lab.train(0)
    assert max(float(item.data.max()) for item in plugin.ewc_data[1].values()) > 0
    assert is_same(held.weights(), free.weights())  # Nothing was to be kept yet.
    before = free.weights()
    for lab in (held, free):
        lab.train(1)
    moved = [
        sum(float((lab.weights()[n] - w).square().sum()) for n, w in before.items())
        for lab in (held, free)
    ]
    assert moved[0] != moved[1]


# Experiences -----------------------------------------------------------------------------------


def test_the_optimiser_is_new_in_every_experience(make_lab: MakeLab) -> None:
    watcher = Watcher()
    lab = make_lab(watchers=[watcher], max_steps=3)
    lab.train(0, 1)
    assert watcher.adam_steps == [1, 2, 3, 1, 2, 3]


def test_the_schedule_begins_anew_in_every_experience(make_lab: MakeLab) -> None:
    watcher = Watcher()
    lab = make_lab(
        watchers=[watcher], max_steps=60, validate_every=60, batch_size=1, learning_rate=1e-4
    )
    lab.train(0)
    rates = watcher.rates[:]
    lab.train(1)
    assert watcher.rates[60:] == rates
    assert rates[0] == pytest.approx(1e-4 / 50)
    assert 0.3e-4 < max(rates) < 1e-4
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0.05e-4, rel=0.1)


def test_training_lowers_the_loss_on_its_frames(make_lab: MakeLab) -> None:
    watcher = Watcher()
    lab = make_lab(watchers=[watcher], max_steps=60, validate_every=60, learning_rate=3e-3)
    lab.train(0)
    assert sum(watcher.losses[-5:]) < 0.8 * sum(watcher.losses[:5])


def test_the_second_experience_trains_though_the_first_stopped_early(make_lab: MakeLab) -> None:
    lab = make_lab(successes=[1.0, 1.0, 0.1, 0.2, 0.3], max_steps=6, validate_every=2, patience=2)
    lab.train(0)
    assert [row["step"] for row in lab.validation.curve] == [2, 4]
    before = lab.weights()
    lab.train(1)
    assert [row["step"] for row in lab.validation.curve] == [2, 4, 6]
    assert [row["success"] for row in lab.validation.curve] == [0.1, 0.2, 0.3]
    assert not is_same(lab.weights(), before)


def test_a_whole_stream_in_one_call_trains_behind_an_early_stop_too(make_lab: MakeLab) -> None:
    lab = make_lab(successes=[1.0, 1.0, 0.1, 0.2, 0.3], max_steps=6, validate_every=2, patience=2)
    lab.strategy.train(lab.experiences[:2], eval_streams=[])
    assert [row["success"] for row in lab.validation.curve] == [0.1, 0.2, 0.3]
    assert_same(lab.weights(), lab.validated[4])


def test_full_success_must_come_in_a_row(make_lab: MakeLab) -> None:
    lab = make_lab(successes=[1.0, 0.9, 1.0, 1.0, 0.0], max_steps=5, validate_every=1)
    lab.train(0)
    assert [row["step"] for row in lab.validation.curve] == [1, 2, 3, 4]


def test_the_last_step_is_validated_though_it_is_between(make_lab: MakeLab) -> None:
    lab = make_lab(max_steps=5, validate_every=3)
    lab.train(0)
    assert [row["step"] for row in lab.validation.curve] == [3, 5]


@pytest.mark.parametrize(
    ("successes", "best"), [((0.5, 0.9, 0.2), 1), ((0.9, 0.5, 0.2), 0), ((0.4, 0.7, 0.7), 2)]
)
def test_the_best_weights_are_kept_and_of_equal_ones_the_later(
    make_lab: MakeLab, successes: tuple[float, ...], best: int
) -> None:
    lab = make_lab(successes=successes, max_steps=3, validate_every=1)
    lab.train(0)
    assert_same(lab.weights(), lab.validated[best])
    others = [weights for index, weights in enumerate(lab.validated) if index != best]
    assert not any(is_same(lab.weights(), weights) for weights in others)


def test_weights_of_an_earlier_experience_are_never_the_best_of_a_later(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(successes=[0.9, 0.1], max_steps=2, validate_every=2)
    lab.train(0, 1)
    assert_same(lab.weights(), lab.validated[1])


def test_the_running_average_is_validated_and_training_goes_on_without_it(
    make_lab: MakeLab,
) -> None:
    class Steps:
        """Keeps the weights after each update."""

        def __init__(self) -> None:
            self.weights: list[Weights] = []

        def after_update(self, strategy: Any, **kwargs: Any) -> None:
            named = strategy.model.named_parameters()
            self.weights.append({name: p.detach().clone() for name, p in named})

    averaged, plain = Steps(), Steps()
    lab = make_lab(watchers=[averaged], average_decay=0.3, max_steps=4, validate_every=2)
    average = lab.weights()
    lab.train(0)
    other = make_lab(watchers=[plain], average_decay=0.0, max_steps=4, validate_every=2)
    other.train(0)
    for found, expected in zip(averaged.weights, plain.weights, strict=True):
        assert_same(found, expected)
    for step, weights in enumerate(averaged.weights, start=1):
        decay = min(0.3, (1 + step) / (10 + step))
        average = {n: decay * average[n] + (1 - decay) * w for n, w in weights.items()}
    for name, value in lab.weights().items():
        torch.testing.assert_close(value, average[name], msg=name)


# Guards ----------------------------------------------------------------------------------------


def test_the_gradient_is_clipped(make_lab: MakeLab) -> None:
    watcher = Watcher()
    lab = make_lab(watchers=[watcher], clip_norm=0.01)
    lab.train(0)
    assert watcher.norms == pytest.approx([0.01] * 3, rel=1e-3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["actions", "tracked", "proprioception"])
def test_numbers_that_are_none_stop_the_training(
    make_lab: MakeLab,
    make_frames: Callable[..., Frames],
    check_sentence: Callable[[object], str],
    name: str,
    value: float,
) -> None:
    frames = make_frames(20)
    getattr(frames, name)[:] = value
    lab = make_lab(visits={0: replace(frames)})
    before = lab.weights()
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in step 0") as caught:
        lab.train(0)
    check_sentence(caught.value)
    assert_same(lab.weights(), before)


def test_a_gradient_that_is_infinite_stops_the_training(
    make_lab: MakeLab, check_sentence: Callable[[object], str]
) -> None:
    class Spoiler:
        def after_backward(self, strategy: Any, **kwargs: Any) -> None:
            if strategy.clock.train_exp_iterations == 1:
                strategy.model.positions.grad[0, 0] = torch.inf

    lab = make_lab(watchers=[Spoiler()])
    with pytest.raises(TrainingError, match=r"gradient's norm is (nan|inf) in step 1") as caught:
        lab.train(0)
    check_sentence(caught.value)
    assert all(bool(value.isfinite().all()) for value in lab.weights().values())


# Determinism -----------------------------------------------------------------------------------


PICTURES = ({"shift_pixels": 2, "copies": 1}, {"adapt": "trunk", "copies": 2})
"""Pictures are altered where encoders are trained, and once where they are frozen."""


@pytest.mark.parametrize("pictures", PICTURES, ids=["full", "trunk"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_goes_on_from_its_files_equals_the_unbroken_one(
    make_lab: MakeLab, strategy: str, pictures: dict[str, Any]
) -> None:
    unbroken = make_lab(strategy, **pictures)
    unbroken.train(0, 1)
    weights = {k: v.clone() for k, v in unbroken.strategy.model.state_dict().items()}
    carried = {k: v.clone() for k, v in plugin_tensors(unbroken.plugins).items()}
    torch.rand(7)  # What else is drawn must not matter.
    unbroken.train(2)

    resumed = make_lab(strategy, **pictures)
    resumed.strategy.model.load_state_dict(weights)
    load_plugins(resumed.plugins, carried, torch.device("cpu"))
    for plugin in resumed.plugins:
        if hasattr(plugin, "earlier"):  # A cumulative learner is filled from the episodes.
            plugin.earlier[:] = [resumed.visits[0], resumed.visits[1]]
    resumed.train(2)
    assert_same(resumed.weights(), unbroken.weights())


def test_another_seed_trains_otherwise(make_lab: MakeLab) -> None:
    results = []
    for seed in (0, 0, 1):
        lab = make_lab(seed=seed)
        lab.strategy.model.load_state_dict(make_lab().strategy.model.state_dict())
        lab.train(0)
        results.append(lab.weights())
    assert is_same(results[0], results[1])
    assert not is_same(results[0], results[2])


def test_strategies_differ_behind_the_first_experience(make_lab: MakeLab) -> None:
    first: list[Weights] = []
    last: list[Weights] = []
    for strategy in STRATEGIES:
        lab = make_lab(strategy)
        lab.train(0)
        if strategy != "packnet":  # It keeps a share of the first task's weights alone.
            first.append(lab.weights())
        lab.train(1, 2)
        last.append(lab.weights())
    assert all(is_same(weights, first[0]) for weights in first)
    for index, weights in enumerate(last):
        assert not any(is_same(weights, other) for other in last[:index])
