"""Pretraining of backbones: what can be learned without labels, and the sizes by name."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lam_agent.commands.pretrain import parse
from lam_agent.errors import ConfigError
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.cloning import MultiTaskCloning
from lam_agent.pretrain.config import PretrainConfig, SelfSupervisedConfig
from lam_agent.pretrain.corpus import Corpus
from lam_agent.pretrain.processes import Processes
from lam_agent.pretrain.self_supervision import SelfSupervision
from lam_agent.pretrain.sizes import LAM_SMALL
from lam_agent.pretrain.training import Stage, StageTraining

MakePolicy = Callable[..., VisualActionPolicy]

ENCODER = "torchvision:shufflenet_v2_x0_5"


def test_motion_and_successors_train_a_backbone(corpus: Corpus, make_policy: MakePolicy) -> None:
    policy = make_policy(encoder=ENCODER)
    module = SelfSupervision(policy, SelfSupervisedConfig(masked=0.0))
    generator = torch.Generator().manual_seed(0)
    losses = module(corpus.pairs(4, generator), generator)
    assert list(losses) == ["inverse", "contrast"]
    torch.stack(list(losses.values())).sum().backward()
    reached = {name for name, p in policy.named_parameters() if p.grad is not None}
    assert reached == {f"encoders.{name}" for name, _ in policy.encoders.named_parameters()}


def test_masked_patches_of_a_backbone_are_refused_before_anything_is_collected(
    pretrain_config: PretrainConfig, check_sentence: Callable[[object], str]
) -> None:
    policy = replace(pretrain_config.policy, encoder=ENCODER)
    with pytest.raises(ConfigError) as caught:
        replace(pretrain_config, policy=policy)
    assert "--self-supervised.masked 0" in check_sentence(caught.value)
    without = SelfSupervisedConfig(steps=0)
    assert replace(pretrain_config, policy=policy, self_supervised=without).policy == policy


def test_sizes_are_settings_that_flags_override() -> None:
    assert parse([]) == PretrainConfig()
    assert parse(["--size", "lam-small"]) == LAM_SMALL
    changed = parse(["--episodes", "3", "--size=lam-small", "--policy.width", "32"])
    assert (changed.episodes, changed.policy.width) == (3, 32)
    assert changed.policy.encoder == "vit-small"


def test_an_unknown_size_is_refused(check_sentence: Callable[[object], str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(["--size", "lam-smal"])
    assert "did you mean 'lam-small'?" in check_sentence(caught.value)


@pytest.mark.slow
def test_lam_small_takes_a_gradient_step(corpus: Corpus) -> None:
    sizes = replace(LAM_SMALL.policy, chunk_length=4, image_size=32, execute_length=2)
    policy = VisualActionPolicy(replace(sizes, image_size=corpus_side(corpus)))
    count = policy.num_parameters(trainable=True)
    assert 20e6 < count < 26e6

    def draw(size: int, generator: torch.Generator) -> tuple[object, ...]:
        return corpus.batch(size, generator)

    stage = Stage("cloning", MultiTaskCloning(policy, 1.0), draw, 1, lambda *arguments: "")
    config = replace(LAM_SMALL.optimiser, batch_size=2)
    training = StageTraining(stage, policy, config, seed=0, processes=Processes())
    before = policy.encoders.get_submodule("trunk").state_dict()
    before = {name: value.clone() for name, value in before.items()}
    losses = training.take_step()
    assert losses["cloning"] > 0
    after = policy.encoders.get_submodule("trunk").state_dict()
    assert all(not torch.equal(value, after[name]) for name, value in before.items())


def corpus_side(corpus: Corpus) -> int:
    """Return the side of the corpus's pictures, pixels."""
    pairs = corpus.pairs(1, torch.Generator().manual_seed(0))
    return int(pairs.first["front"].shape[1])
