"""The loop of a stage: snapshots are exact, and what is not finite stops it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lam_agent.errors import TrainingError
from lam_agent.interrupts import Interrupts
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.config import OptimiserConfig, PretrainConfig
from lam_agent.pretrain.corpus import Corpus
from lam_agent.pretrain.processes import Processes
from lam_agent.pretrain.self_supervision import SelfSupervision
from lam_agent.pretrain.training import Stage, StageTraining
from lam_agent.types import no_progress

MakeTraining = Callable[..., StageTraining]
MakePolicy = Callable[..., VisualActionPolicy]
STEPS = 5


@pytest.fixture
def make_training(
    corpus: Corpus, pretrain_config: PretrainConfig, make_policy: MakePolicy
) -> MakeTraining:
    """Make the training of a short first stage."""

    def make(wrap: Callable[[nn.Module], nn.Module] = lambda module: module) -> StageTraining:
        policy = make_policy()
        torch.manual_seed(0)
        module = wrap(SelfSupervision(policy, pretrain_config.self_supervised))
        stage = Stage(
            "self-supervision",
            module,
            lambda size, generator: (corpus.pairs(size, generator), generator),
            STEPS,
            lambda *arguments: "task reach-wall",
        )
        config = OptimiserConfig(batch_size=6, warmup_steps=2)
        return StageTraining(stage, policy, config, seed=3, processes=Processes())

    return make


def test_training_goes_on_bit_by_bit(make_training: MakeTraining) -> None:
    whole, first, second = make_training(), make_training(), make_training()
    for _ in range(STEPS):
        whole.take_step()
    for _ in range(2):
        first.take_step()
    second.load_state({key: value.clone() for key, value in first.state().items()}, first.step)
    while second.step < STEPS:
        second.take_step()
    expected, found = whole.state(), second.state()
    assert expected.keys() == found.keys()
    assert any(key.startswith("optimiser.exp_avg.") for key in expected)
    for key, value in expected.items():
        assert torch.equal(value, found[key]), key


def test_another_seed_draws_otherwise(make_training: MakeTraining) -> None:
    one, other = make_training(), make_training()
    other._seed = 4
    assert one.take_step() != other.take_step()


class _Broken(nn.Module):
    """Gives NaN from the third step on."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.calls = 0

    def forward(self, *arguments: object) -> dict[str, torch.Tensor]:
        self.calls += 1
        losses: dict[str, torch.Tensor] = self.inner(*arguments)
        return {k: v * (float("nan") if self.calls > 2 else 1.0) for k, v in losses.items()}


def test_a_loss_that_is_not_finite_stops_with_step_and_task(
    make_training: MakeTraining, check_sentence: Callable[[object], str]
) -> None:
    training = make_training(_Broken)
    saved = []
    with pytest.raises(TrainingError) as caught:
        training.run(
            log=None,
            save=lambda: saved.append(training.step),
            after_step=lambda step: None,
            interrupts=Interrupts(),
            progress=no_progress,
        )
    words = check_sentence(caught.value)
    assert "loss is not finite in step 3 of self-supervision (task reach-wall)" in words
    assert saved == []
    assert all(bool(value.isfinite().all()) for value in training.state().values())
