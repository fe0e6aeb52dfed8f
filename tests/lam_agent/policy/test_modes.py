"""Adaptation modes: what is trained, that nothing changes at first, and their checkpoints."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lam_agent.checkpoint import fitted_sizes, load_initial_weights, load_pretrained
from lam_agent.config import ADAPTATION_MODES, PolicyConfig
from lam_agent.controller import Controller
from lam_agent.errors import CheckpointError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.lora import plain_state
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]

BAG = bag_of_words("push the puck to the green marker")

PARTS = {
    "full": {
        "encoders",
        "views",
        "proprioception",
        "instruction",
        "tracker",
        "tracked_token",
        "positions",
        "trunk",
        "head",
    },
    "head": {"head"},
    "lora": {"views", "tracker", "tracked_token", "trunk", "head"},
    "adapter": {"adapters"},
}
PARTS["trunk"] = PARTS["full"] - {"encoders"}


@pytest.fixture
def make_frozen(make_policy: MakePolicy) -> MakePolicy:
    """Make a small policy in an adaptation mode."""

    def make(mode: str, **changes: Any) -> VisualActionPolicy:
        policy = make_policy(adapter_size=3 if mode == "adapter" else 0, **changes)
        freeze(policy, mode, rank=2, seed=1)
        return policy

    return make


def trained(policy: VisualActionPolicy) -> set[str]:
    return {name for name, parameter in policy.named_parameters() if parameter.requires_grad}


def disturb(policy: VisualActionPolicy) -> None:
    """Move all that is trained."""
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for parameter in policy.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


# What is trained -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ADAPTATION_MODES)
def test_a_mode_trains_its_parts_alone(make_frozen: MakePolicy, mode: str) -> None:
    names = trained(make_frozen(mode))
    assert {name.partition(".")[0] for name in names} == PARTS[mode]
    assert all(name.endswith((".up", ".down")) for name in names) == (mode == "lora")


def test_every_matrix_of_the_parts_has_factors(make_frozen: MakePolicy) -> None:
    policy = make_frozen("lora")
    matrices = {
        name
        for name, value in policy.state_dict().items()
        if name.endswith("original") and value.ndim == 2
    }
    assert len(trained(policy)) == 2 * len(matrices)
    parts = [policy.get_submodule(name) for name in PARTS["lora"]]
    linear = [m for part in parts for m in part.modules() if isinstance(m, nn.Linear)]
    attention = [
        m for part in parts for m in part.modules() if isinstance(m, nn.MultiheadAttention)
    ]
    assert len(matrices) == len(linear) + len(attention) == 12


@pytest.mark.parametrize("mode", ADAPTATION_MODES)
@pytest.mark.parametrize("training", [True, False])
def test_a_mode_changes_no_output_at_first(
    make_policy: MakePolicy, make_observations: MakeObservations, mode: str, training: bool
) -> None:
    observation = make_observations()
    inputs = (observation, observation["proprioception"], BAG.expand(3, -1))
    plain = make_policy().train(training)
    expected = plain(*inputs)
    policy = make_policy(adapter_size=3 if mode == "adapter" else 0).train(training)
    random = torch.get_rng_state()
    freeze(policy, mode, rank=2, seed=1)
    assert torch.equal(torch.get_rng_state(), random)
    found = policy(*inputs)
    # Layers without gradients may be computed by other kernels, which round otherwise.
    torch.testing.assert_close(found.actions, expected.actions, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.tracked, expected.tracked, rtol=1e-5, atol=1e-6)
    assert torch.equal(policy.act(observation, BAG), plain.act(observation, BAG))
    disturb(policy)
    assert not torch.equal(policy(*inputs).actions, expected.actions)


def test_adapters_are_behind_every_layer_and_before_the_head(make_policy: MakePolicy) -> None:
    policy = make_policy(adapter_size=3, depth=2)
    widths = [adapter.get_submodule("down").in_features for adapter in policy.adapters]
    assert widths == [32, 32, 5 * 32]


def test_frozen_encoders_keep_their_buffers(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    observation = make_observations()
    inputs = (observation, observation["proprioception"], BAG.expand(3, -1))
    for mode, changes in (("full", True), ("trunk", False), ("lora", False)):
        policy, norm = make_policy(), nn.BatchNorm2d(8)
        policy.encoders["front"].stem = nn.Sequential(policy.encoders["front"].stem, norm)
        freeze(policy, mode, rank=2, seed=1)
        policy.train()(*inputs)
        assert torch.equal(norm.running_mean, torch.zeros(8)) is not changes  # type: ignore[arg-type]
        assert policy.training and policy.trunk.training


def test_dropout_is_felt_in_training_alone(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_policy(), make_observations()
    inputs = (observation, observation["proprioception"], BAG.expand(3, -1))
    expected = policy.act(observation, BAG)
    policy.set_dropout(0.5)
    assert torch.equal(policy.act(observation, BAG), expected)
    policy.train()
    assert not torch.equal(policy(*inputs).actions, policy(*inputs).actions)


# Checkpoints -----------------------------------------------------------------------------------


def test_factors_are_merged_where_a_policy_is_saved(
    make_frozen: MakePolicy,
    make_observations: MakeObservations,
    save_checkpoint: Callable[..., None],
    tmp_path: Path,
) -> None:
    policy, observation = make_frozen("lora"), make_observations(2, seed=9)
    disturb(policy)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    save_checkpoint(tmp_path / "saved", policy)
    loaded, contract = load_pretrained(tmp_path / "saved")
    assert set(loaded.state_dict()) == set(plain_state(policy))
    assert not any("parametrizations" in name for name in loaded.state_dict())
    assert contract.policy.adapter_size == 0
    torch.testing.assert_close(loaded.act(observation, BAG), policy.act(observation, BAG))
    assert set(policy.state_dict()) == set(before)
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())
    Controller.load(tmp_path / "saved", task="push")


def test_adapters_are_of_the_architecture_that_a_checkpoint_tells(
    make_frozen: MakePolicy,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    save_checkpoint: Callable[..., None],
    check_sentence: Callable[[object], str],
    tmp_path: Path,
) -> None:
    policy, observation = make_frozen("adapter"), make_observations(2, seed=9)
    disturb(policy)
    save_checkpoint(tmp_path / "saved", policy)
    loaded, contract = load_pretrained(tmp_path / "saved")
    assert contract.policy.adapter_size == 3
    torch.testing.assert_close(loaded.act(observation, BAG), policy.act(observation, BAG))
    Controller.load(tmp_path / "saved", task="push")
    for size in (0, 5):
        with pytest.raises(CheckpointError, match=r"set --policy\.adapter-size 3") as caught:
            load_initial_weights(make_policy(adapter_size=size), tmp_path / "saved")
        assert "--adaptation.bottleneck 3" in check_sentence(caught.value)


@pytest.mark.parametrize("mode", ADAPTATION_MODES)
def test_every_mode_starts_from_a_plain_checkpoint(
    make_policy: MakePolicy, make_observations: MakeObservations, saved_checkpoint: Path, mode: str
) -> None:
    observation = make_observations(2, seed=9)
    policy = make_policy(seed=77, adapter_size=4 if mode == "adapter" else 0)
    load_initial_weights(policy, saved_checkpoint)
    freeze(policy, mode, rank=2, seed=1)
    loaded, _ = load_pretrained(saved_checkpoint)
    assert torch.equal(policy.act(observation, BAG), loaded.act(observation, BAG))


# Documentation ---------------------------------------------------------------------------------


def test_the_documented_numbers_are_those_of_the_default_policy() -> None:
    text = Path(__file__).parents[3].joinpath("docs/adaptation.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    numbers = {row[0].strip(" `"): [cell.strip() for cell in row[-2:]] for row in rows}
    for mode in ADAPTATION_MODES:
        size = 16 if mode == "adapter" else 0
        policy = VisualActionPolicy(replace(fitted_sizes(PolicyConfig()), adapter_size=size))
        freeze(policy, mode, rank=8, seed=0)
        counts = [f"{policy.num_parameters(trainable=t):,}" for t in (True, False)]
        assert numbers[mode] == counts, mode
