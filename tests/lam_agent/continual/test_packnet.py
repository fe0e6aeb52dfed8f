"""PackNet in training: what a task takes, what stays, and that old tasks act as they did."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.config import PackNetConfig, RunConfig
from lam_agent.continual.packnet import PackNetPlugin
from lam_agent.errors import ConfigError
from lam_agent.policy.packs import TaskPacks

MakeLab = Callable[..., Any]

SETTINGS = {"max_steps": 8, "validate_every": 4, "average_decay": 0.9}


def packs_of(lab: Any) -> TaskPacks:
    packs: TaskPacks = lab.strategy.model.packs
    return packs


def act(lab: Any, position: int) -> torch.Tensor:
    """Return what the policy does on the first frames of a task."""
    frames = lab.visits[position]
    look = {camera: images[:4] for camera, images in frames.images.items()}
    actions: torch.Tensor = lab.strategy.model.act(
        {**look, "proprioception": frames.proprioception[:4]}, frames.bag
    )
    return actions


@pytest.fixture
def make_stream(make_lab: MakeLab, make_frames: Callable[..., Any]) -> Callable[..., Any]:
    """Make a lab with packnet, whose tasks have instructions of their own."""

    def make(adapt: str = "trunk", **settings: Any) -> Any:
        words = ("reach it", "push the puck", "open the drawer")
        visits = {
            position: make_frames(20, seed=position, instruction=words[position])
            for position in range(3)
        }
        return make_lab("packnet", adapt=adapt, visits=visits, **{**SETTINGS, **settings})

    return make


@pytest.mark.parametrize("adapt", ["trunk", "full", "head", "adapter"])
def test_earlier_tasks_act_bit_for_bit_as_when_they_were_learned(
    make_stream: Callable[..., Any], adapt: str
) -> None:
    lab = make_stream(adapt)
    learned = []
    for position in range(3):
        before = act(lab, position)
        lab.train(position)
        learned.append(act(lab, position))
        assert not torch.equal(learned[-1], before)
    for position, actions in enumerate(learned):
        assert torch.equal(act(lab, position), actions)
    assert packs_of(lab).num_tasks == 3 and not packs_of(lab).is_open


def test_a_task_takes_its_share_and_leaves_the_rest(make_stream: Callable[..., Any]) -> None:
    lab = make_stream()
    start = lab.weights()
    for position in range(3):
        lab.train(position)
        weights, packs = lab.weights(), packs_of(lab)
        for name in packs.names:
            owner, size = packs.owner(name), weights[name].numel()
            share = math.ceil(PackNetConfig.share * size)
            counts = [int((owner == task).sum()) for task in range(1, position + 2)]
            left = size
            for count in counts:
                assert count == min(share, left), name
                left -= count
            assert int((owner == 0).sum()) == left
            is_free = owner == 0
            assert torch.equal(weights[name][is_free], start[name][is_free]), name
            assert torch.equal(packs.before(name), start[name])
        frozen = [name for name in weights if name not in packs.names]
        assert frozen and all(torch.equal(weights[name], start[name]) for name in frozen)


def test_a_task_takes_what_moved_farthest(make_stream: Callable[..., Any]) -> None:
    moved: dict[str, torch.Tensor] = {}
    lab = make_stream()
    plugin: PackNetPlugin = lab.plugins[0]
    prune = plugin._prune

    def watched(policy: Any) -> None:
        for name in packs_of(lab).names:
            moved[name] = (policy.get_parameter(name) - plugin._start[name]).abs().detach()
        prune(policy)

    plugin._prune = watched  # type: ignore[method-assign]
    lab.train(0)
    assert moved
    for name, distance in moved.items():
        is_taken = packs_of(lab).owner(name) == 1
        if not bool(is_taken.all()):
            assert float(distance[is_taken].min()) >= float(distance[~is_taken].max())


def test_the_dense_phase_trains_all_that_is_free_and_the_other_the_tasks_own(
    make_stream: Callable[..., Any],
) -> None:
    seen: list[dict[str, torch.Tensor]] = []

    class Watcher:
        def after_update(self, strategy: Any, **kwargs: Any) -> None:
            policy = strategy.model
            seen.append({k: v.detach().clone() for k, v in policy.named_parameters()})

    lab = make_stream(watchers=[Watcher()], weight_decay=0.1)
    name = "head.1.weight"
    lab.train(0)
    start = lab.weights()[name]
    lab.train(1)
    owner = packs_of(lab).owner(name)
    second = [weights[name] for weights in seen[8:]]
    for step, weight in enumerate(second):
        is_moved = weight != start
        if step < 2:  # A quarter of eight steps is dense.
            assert not bool(is_moved[owner == 1].any())
            assert float(is_moved[owner != 1].float().mean()) > 0.9
        else:
            assert not bool(is_moved[owner != 2].any())
            assert float(is_moved[owner == 2].float().mean()) > 0.9


def test_nothing_is_validated_before_the_task_has_its_weights(
    make_stream: Callable[..., Any],
) -> None:
    lab = make_stream(validate_every=1)
    lab.train(0)
    assert [point["step"] for point in lab.validation.curve] == [2, 3, 4, 5, 6, 7, 8]
    free = packs_of(lab).owner("head.1.weight") == 0
    for weights in lab.validated:
        assert torch.equal(weights["head.1.weight"][free], lab.weights()["head.1.weight"][free])


@pytest.mark.parametrize(("again", "is_better"), [(0.4, False), (0.5, False), (0.6, True)])
def test_a_task_that_comes_again_takes_new_weights_only_if_it_succeeds_more_by_them(
    make_stream: Callable[..., Any], again: float, is_better: bool
) -> None:
    # Of reach, of push, of reach by the weights that it has, of reach by new ones.
    lab = make_stream(successes=[0.2, 0.3, 0.5, again], validate_every=8)
    lab.train(0, 1)
    state = {k: v.clone() for k, v in lab.strategy.model.state_dict().items()}
    reach, push = act(lab, 0), act(lab, 1)
    lab.train(0)
    (plugin,) = lab.plugins
    assert torch.equal(act(lab, 1), push)
    assert torch.equal(act(lab, 0), reach) != is_better
    assert packs_of(lab).num_tasks == (3 if is_better else 2)
    assert plugin.remark == ("" if is_better else "it keeps the weights that it had before (50%)")
    if not is_better:
        left = lab.strategy.model.state_dict()
        assert all(torch.equal(left[name], value) for name, value in state.items())
    lab.train(2)  # What was given back is taken by others.
    assert packs_of(lab).num_tasks == (4 if is_better else 3) and plugin.remark == ""
    assert torch.equal(act(lab, 0), reach) != is_better


def test_a_policy_whose_weights_are_all_owned_learns_no_more(
    make_stream: Callable[..., Any], check_sentence: Callable[[object], str]
) -> None:
    lab = make_stream()
    lab.train(0)
    for name in packs_of(lab).names:
        packs_of(lab).owner(name).fill_(1)
    with pytest.raises(ConfigError) as caught:
        lab.train(1)
    assert "packnet.share" in check_sentence(caught.value)


# Settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "num_tasks", "hint"), [(0.1, 11, "0.0909"), (0.01, 65, "64")])
def test_a_stream_with_more_tasks_than_room_is_refused(
    check_sentence: Callable[[object], str], share: float, num_tasks: int, hint: str
) -> None:
    settings = {"strategy": "packnet", "packnet": PackNetConfig(share), "allow_repeats": True}
    with pytest.raises(ConfigError) as caught:
        RunConfig(("push",) * num_tasks, **settings)  # type: ignore[arg-type]
    words = check_sentence(caught.value)
    assert hint in words and str(num_tasks) in words
    RunConfig(("push",) * 10, **settings)  # type: ignore[arg-type]


def test_it_goes_with_modes_that_train_the_policys_own_weights(
    check_sentence: Callable[[object], str],
) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(strategy="packnet", adapt="lora")
    assert "full, trunk, head, adapter" in check_sentence(caught.value)
    config = RunConfig(strategy="packnet")
    assert config.policy.packed == "trunk" and config.dense_steps == 250
    other = RunConfig(strategy="replay", policy=config.policy)
    assert other.policy.packed == "none" and other.dense_steps == 0
