"""VisualActionPolicy: shapes, limits, bad observations, instructions, learning."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lam_agent.config import PolicyConfig
from lam_agent.continual.batches import BEFORE_STREAM, Frames, join
from lam_agent.continual.loss import CloningLoss
from lam_agent.errors import ObservationError, TrainingError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]

BAG = bag_of_words("push the puck to the green marker")


def last_layer(policy: VisualActionPolicy) -> torch.nn.Linear:
    layer = policy.head[-1]
    assert isinstance(layer, torch.nn.Linear)
    return layer


# Shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 5])
def test_a_chunk_of_actions_and_six_positions_for_each_observation(
    make_policy: MakePolicy, make_observations: MakeObservations, batch: int
) -> None:
    policy = make_policy()
    observation = make_observations(batch)
    output = policy(observation, observation["proprioception"], BAG.expand(batch, -1))
    assert output.actions.shape == (batch, 4, 4) and output.actions.dtype == torch.float32
    assert output.tracked.shape == (batch, 6) and output.tracked.dtype == torch.float32
    actions = policy.act(observation, BAG)
    assert actions.shape == (batch, 4, 4)
    torch.testing.assert_close(actions, output.actions.clamp(-1, 1).detach())


def test_the_default_sizes_work_too() -> None:
    policy = VisualActionPolicy(PolicyConfig())
    images = {camera: torch.zeros(2, 64, 64, 3, dtype=torch.uint8) for camera in ("front", "wrist")}
    assert policy.act({**images, "proprioception": torch.zeros(2, 4)}, BAG).shape == (2, 8, 4)


def test_an_observation_does_not_depend_on_its_neighbours(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_policy(), make_observations(3)
    alone = {key: value[1:2] for key, value in observation.items()}
    torch.testing.assert_close(
        policy.act(alone, BAG)[0], policy.act(observation, BAG)[1], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("key", ["front", "wrist", "proprioception"])
def test_every_input_changes_the_actions(
    make_policy: MakePolicy, make_observations: MakeObservations, key: str
) -> None:
    policy, observation = make_policy(), make_observations(2)
    other = {**observation, key: make_observations(2, seed=6)[key]}
    assert not torch.equal(policy.act(other, BAG), policy.act(observation, BAG))


def test_the_instruction_changes_the_actions(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_policy(), make_observations(2)
    reach = bag_of_words("move the gripper to the green marker")
    assert not torch.equal(policy.act(observation, reach), policy.act(observation, BAG))


def test_parameters_are_counted(make_policy: MakePolicy) -> None:
    policy = make_policy()
    total = sum(parameter.numel() for parameter in policy.parameters())
    frozen = sum(parameter.numel() for parameter in policy.head.parameters())
    policy.head.requires_grad_(False)
    assert policy.num_parameters(trainable=False) == total
    assert policy.num_parameters(trainable=True) == total - frozen


# Acting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [50.0, -50.0])
def test_actions_are_clipped(
    make_policy: MakePolicy, make_observations: MakeObservations, bias: float
) -> None:
    policy = make_policy()
    with torch.no_grad():
        last_layer(policy).bias.fill_(bias)
    actions = policy.act(make_observations(), BAG)
    assert torch.equal(actions, torch.full_like(actions, bias / 50.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_actions_that_are_no_numbers_are_refused(
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    check_sentence: Callable[[object], str],
    value: float,
) -> None:
    policy = make_policy()
    with torch.no_grad():
        last_layer(policy).bias[2] = value
    with pytest.raises(TrainingError, match="NaN or infinity") as caught:
        policy.act(make_observations(), BAG)
    check_sentence(caught.value)


@pytest.mark.parametrize("training", [True, False])
def test_acting_changes_neither_weights_nor_mode(
    make_policy: MakePolicy, make_observations: MakeObservations, training: bool
) -> None:
    policy = make_policy().train(training)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    policy.act(make_observations(), BAG)
    assert policy.training is training
    for name, value in policy.state_dict().items():
        assert torch.equal(value, before[name]), name


# Bad observations ------------------------------------------------------------------------------


def without(key: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda observation: {k: v for k, v in observation.items() if k != key}


def changed(
    key: str, change: Callable[[torch.Tensor], Any]
) -> Callable[[dict[str, torch.Tensor]], dict[str, Any]]:
    return lambda observation: {**observation, key: change(observation[key])}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (without("front"), ("lacks 'front'", "front, wrist, proprioception")),
        (without("proprioception"), ("lacks 'proprioception'",)),
        (changed("front", lambda t: t[:, :16]), ("front has shape (3, 16, 32, 3)", "32, 32, 3")),
        (changed("wrist", lambda t: t[..., :1]), ("wrist has shape (3, 32, 32, 1)",)),
        (changed("wrist", lambda t: t[0]), ("wrist has shape (32, 32, 3)",)),
        (changed("wrist", lambda t: t.permute(0, 3, 1, 2)), ("wrist has shape (3, 3, 32, 32)",)),
        (changed("front", lambda t: t.float()), ("type torch.float32", "torch.uint8")),
        (changed("front", lambda t: t.numpy()), ("type uint8", "torch.uint8")),
        (changed("proprioception", lambda t: t[:, :3]), ("shape (3, 3)", "(batch, 4)")),
        (changed("proprioception", lambda t: t.double()), ("torch.float64",)),
        (changed("proprioception", lambda t: t * torch.nan), ("NaN or infinity",)),
        (changed("proprioception", lambda t: t / 0), ("NaN or infinity",)),
        (changed("wrist", lambda t: t[:2]), ("front 3", "wrist 2")),
        (changed("proprioception", lambda t: t[:1]), ("proprioception 1",)),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    check_sentence: Callable[[object], str],
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    parts: tuple[str, ...],
) -> None:
    with pytest.raises(ObservationError) as caught:
        make_policy().act(change(make_observations()), BAG)
    words = check_sentence(caught.value)
    for part in parts:
        assert part in words


def test_other_keys_are_ignored(
    make_policy: MakePolicy, make_observations: MakeObservations
) -> None:
    policy, observation = make_policy(), make_observations()
    more = {**observation, "state": torch.zeros(3, 39)}
    assert torch.equal(policy.act(more, BAG), policy.act(observation, BAG))


# Learning --------------------------------------------------------------------------------------


def test_gradient_steps_reduce_both_losses_and_leave_the_normaliser(
    make_policy: MakePolicy, make_frames: Callable[..., Frames]
) -> None:
    policy = make_policy()
    frozen = {name: value.clone() for name, value in policy.normaliser.state_dict().items()}
    observation, target, _ = join([(make_frames(64), 0)])
    criteria = [CloningLoss(policy.normaliser, weight) for weight in (0.0, 1.0)]
    optimizer = torch.optim.AdamW(policy.parameters(), lr=3e-3)

    def losses() -> list[torch.Tensor]:
        output = policy(observation.images, observation.proprioception, observation.bags)
        return [criterion(output, target) for criterion in criteria]

    before = losses()
    for _ in range(40):
        optimizer.zero_grad()
        losses()[1].backward()
        optimizer.step()
    actions_before, total_before = (loss.item() for loss in before)
    actions_after, total_after = (loss.item() for loss in losses())
    assert actions_after < 0.8 * actions_before
    assert total_after - actions_after < 0.8 * (total_before - actions_before)
    for name, value in policy.normaliser.state_dict().items():
        assert torch.equal(value, frozen[name]), name
    assert {f"normaliser.{name}" for name in frozen} <= set(policy.state_dict())
    assert not any(name.startswith("normaliser") for name, _ in policy.named_parameters())


def test_the_loss_ignores_actions_behind_the_end_of_an_episode(
    make_policy: MakePolicy, make_frames: Callable[..., Frames]
) -> None:
    policy = make_policy()
    observation, target, _ = join([(make_frames(8), 0)])
    output = policy(observation.images, observation.proprioception, observation.bags)
    criterion = CloningLoss(policy.normaliser, 0.0)
    expected = (output.actions - target.actions).abs().mean(2)[target.is_inside].mean()
    torch.testing.assert_close(criterion(output, target), expected)
    target.actions[~target.is_inside] = 99.0
    torch.testing.assert_close(criterion(output, target), expected)


def test_replayed_frames_are_pulled_to_what_the_policy_once_did(
    make_policy: MakePolicy, make_frames: Callable[..., Frames]
) -> None:
    policy = make_policy()
    old = make_frames(4, seed=1)
    old.is_inside[:] = True
    observation, _, _ = join([(old, 0)])
    given = policy(observation.images, observation.proprioception, observation.bags)
    old.outputs = given.actions.detach() + 0.25
    new = make_frames(2, seed=2)
    new.is_inside[:] = True
    observation, target, _ = join([(new, 1), (old, 0)])
    output = policy(observation.images, observation.proprioception, observation.bags)
    error = (output.actions - target.actions).abs().mean((1, 2))  # (6,)

    def loss(outputs: float, demonstrations: float) -> torch.Tensor:
        criterion = CloningLoss(
            policy.normaliser, 0.0, outputs_weight=outputs, demonstrations_weight=demonstrations
        )
        value: torch.Tensor = criterion(output, target)
        return value

    torch.testing.assert_close(loss(0.0, 1.0), error.mean())
    torch.testing.assert_close(loss(0.0, 0.0), error[:2].sum() / 6)
    drift = loss(2.0, 0.0) - loss(0.0, 0.0)  # Smooth: half of beta less than the distance.
    torch.testing.assert_close(drift, torch.tensor(2.0 * (0.25 - 0.025) * 4 / 6))
    _, target, _ = join([(new, 1), (old, BEFORE_STREAM)])  # Of these, only what it did counts.
    torch.testing.assert_close(loss(2.0, 0.5), error[:2].sum() / 6 + drift)
    _, target, _ = join([(new, 1), (old, 0)])
    loss(1.0, 0.0).backward()
