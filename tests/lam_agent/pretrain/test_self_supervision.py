"""Self-supervision: each loss can be learned, alone, and reaches the encoders only."""

from collections.abc import Callable

import pytest
import torch

from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.config import SelfSupervisedConfig
from lam_agent.pretrain.corpus import Corpus
from lam_agent.pretrain.self_supervision import SelfSupervision

MakePolicy = Callable[..., VisualActionPolicy]

OFF = {"masked": 0.0, "inverse": 0.0, "contrast": 0.0}


@pytest.mark.parametrize("name", OFF)
def test_each_loss_falls_and_trains_the_encoders_alone(
    name: str, corpus: Corpus, make_policy: MakePolicy
) -> None:
    policy = make_policy()
    module = SelfSupervision(policy, SelfSupervisedConfig(**{**OFF, name: 1.0}))
    pairs = corpus.pairs(8, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(module.parameters(), lr=5e-3)
    before = {key: value.clone() for key, value in policy.named_parameters()}
    values = []
    for _ in range(25):
        losses = module(pairs, torch.Generator().manual_seed(1))
        assert list(losses) == [name]
        optimiser.zero_grad()
        losses[name].backward()
        optimiser.step()
        values.append(float(losses[name].detach()))
    assert values[-1] < 0.9 * values[0]
    changed = {
        key for key, value in policy.named_parameters() if not torch.equal(value, before[key])
    }
    assert changed
    assert all(key.startswith("encoders.") for key in changed)


def test_only_hidden_patches_count(corpus: Corpus, make_policy: MakePolicy) -> None:
    module = SelfSupervision(make_policy(), SelfSupervisedConfig(**{**OFF, "masked": 1.0}))
    pairs = corpus.pairs(4, torch.Generator().manual_seed(0))
    one, other = (
        float(module(pairs, torch.Generator().manual_seed(seed))["masked"].detach())
        for seed in (1, 2)
    )
    assert one != other
