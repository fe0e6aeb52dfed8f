"""Weights that belong to tasks: which ones a policy has on a task, also from a checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lam_agent.checkpoint import load_initial_weights, load_pretrained
from lam_agent.controller import Controller
from lam_agent.errors import CheckpointError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.packs import TaskPacks
from lam_agent.policy.policy import VisualActionPolicy

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]

REACH, PUSH, OTHER = (bag_of_words(words) for words in ("reach it", "push it", "open the door"))


def packs_of(policy: VisualActionPolicy) -> TaskPacks:
    assert policy.packs is not None
    return policy.packs


def learn(policy: VisualActionPolicy, bag: torch.Tensor, task: int) -> None:
    """Give a task a random fifth of each tensor, as far as nobody owns it, with other values."""
    packs = packs_of(policy)
    generator = torch.Generator().manual_seed(task)
    with torch.no_grad():
        for name in packs.names:
            weight, owner = policy.get_parameter(name), packs.owner(name)
            if task == 1:
                packs.before(name).copy_(weight)
            is_taken = (torch.rand(weight.shape, generator=generator) < 0.2) & (owner == 0)
            owner[is_taken] = task
            weight += 0.3 * torch.randn(weight.shape, generator=generator) * is_taken
        packs.bags[task - 1] = bag


@pytest.fixture
def learned(make_policy: MakePolicy) -> tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]]:
    """A policy that learned three tasks, the third being the first again; its weights then.

    The last ones are those before the first task.
    """
    policy, then = make_policy(packed="trunk").eval(), []
    before = {k: v.detach().clone() for k, v in policy.named_parameters()}
    for task, bag in enumerate((REACH, PUSH, REACH), 1):
        learn(policy, bag, task)
        then.append({k: v.detach().clone() for k, v in policy.named_parameters()})
    return policy, [*then, before]


def test_a_policy_without_tasks_acts_as_one_without_packs(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    plain, packed = make_policy(), make_policy(packed="trunk")
    observation = make_observations()
    assert torch.equal(plain.act(observation, PUSH), packed.act(observation, PUSH))
    assert {name for name, _ in packed.named_parameters()} == set(plain.state_dict()) - {
        name for name, _ in plain.named_buffers()
    }
    assert packs_of(packed).num_tasks == 0


def test_a_part_can_be_owned_and_the_rest_not(make_policy: MakePolicy) -> None:
    for part, beginnings in {"head": ("head.",), "full": ("",), "adapter": ("adapters.",)}.items():
        policy = make_policy(packed=part, adapter_size=3)
        names = {n for n, _ in policy.named_parameters() if n.startswith(beginnings)}
        assert set(packs_of(policy).names) == names and names
    trunk = set(packs_of(make_policy(packed="trunk")).names)
    assert trunk and not any(name.startswith("encoders.") for name in trunk)


@pytest.mark.parametrize(("bag", "visit"), [(PUSH, 1), (REACH, 2), (OTHER, 3)])
def test_a_task_has_the_weights_of_its_last_visit(
    learned: tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]],
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    bag: torch.Tensor,
    visit: int,
) -> None:
    policy, then = learned
    found = packs_of(policy).weights_for(policy, bag)
    assert all(torch.equal(value, then[visit][name]) for name, value in found.items())
    plain, observation = make_policy(), make_observations()
    plain.load_state_dict({**plain.state_dict(), **then[visit]})
    expected = plain.eval().act(observation, bag)
    assert torch.equal(policy.act(observation, bag), expected)
    assert torch.equal(policy.on_task(bag).act(observation, bag), expected)
    assert policy.on_task(bag).packs is None and plain.on_task(bag) is plain
    own = dict(policy.named_parameters())
    assert all(torch.equal(own[name], value) for name, value in then[2].items())


def test_tasks_differ_from_each_other(
    learned: tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]],
) -> None:
    policy, then = learned
    for name in packs_of(policy).names:
        if then[0][name].numel() > 100:
            assert not torch.equal(then[0][name], then[1][name])
            assert not torch.equal(then[1][name], then[2][name])


def test_while_a_task_is_learned_the_policy_has_all_weights(
    learned: tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]],
    make_observations: MakeObservations,
) -> None:
    policy, _ = learned
    observation = make_observations()
    closed = policy.act(observation, PUSH)
    packs_of(policy).is_open = True
    bags = PUSH.expand(3, -1)
    with torch.inference_mode():
        raw = policy(observation, observation["proprioception"], bags).actions.clamp(-1, 1)
    assert torch.equal(policy.act(observation, PUSH), raw)
    assert not torch.equal(raw, closed)


def test_a_checkpoint_acts_on_each_task_with_its_weights(
    learned: tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]],
    save_checkpoint: Callable[..., None],
    make_observations: MakeObservations,
    instructions: dict[str, str],
    tmp_path: Path,
) -> None:
    policy, _ = learned
    for task, instruction in enumerate(instructions.values(), 1):
        packs_of(policy).bags[task - 1] = bag_of_words(instruction)
    save_checkpoint(tmp_path / "saved", policy)
    loaded, contract = load_pretrained(tmp_path / "saved")
    assert contract.policy.packed == "trunk" and packs_of(loaded).num_tasks == 3
    assert "weights of their own" in (tmp_path / "saved" / "README.md").read_text()
    observation = make_observations()
    for task, instruction in instructions.items():
        expected = policy.act(observation, bag_of_words(instruction))
        assert torch.equal(loaded.act(observation, bag_of_words(instruction)), expected)
        controller = Controller.load(tmp_path / "saved", task=task)
        torch.testing.assert_close(controller.act(observation), expected[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("packed", "works"), [("none", False), ("head", False), ("trunk", True)])
def test_other_training_does_not_start_from_weights_of_single_tasks(
    learned: tuple[VisualActionPolicy, list[dict[str, torch.Tensor]]],
    save_checkpoint: Callable[..., None],
    make_policy: MakePolicy,
    check_sentence: Callable[[object], str],
    tmp_path: Path,
    packed: str,
    works: bool,
) -> None:
    save_checkpoint(tmp_path / "saved", learned[0])
    policy = make_policy(seed=8, packed=packed)
    if works:
        load_initial_weights(policy, tmp_path / "saved")
        assert packs_of(policy).num_tasks == 3
        return
    with pytest.raises(CheckpointError) as caught:
        load_initial_weights(policy, tmp_path / "saved")
    assert "packnet --adapt trunk" in check_sentence(caught.value)
    load_initial_weights(policy, tmp_path / "saved", "encoders")


def test_packs_start_from_a_plain_checkpoint(
    make_policy: MakePolicy, make_observations: MakeObservations, saved_checkpoint: Path
) -> None:
    policy, observation = make_policy(seed=77, packed="trunk"), make_observations()
    load_initial_weights(policy, saved_checkpoint)
    loaded, _ = load_pretrained(saved_checkpoint)
    assert torch.equal(policy.act(observation, PUSH), loaded.act(observation, PUSH))
