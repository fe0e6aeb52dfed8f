"""The controller gives the policy's actions on real rollouts and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
import torch

from lam_agent.controller import Controller
from lam_agent.errors import (
    CheckpointError,
    ConfigError,
    FarObservationWarning,
    LamAgentError,
    ObservationError,
    UnseenInstructionWarning,
)
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv

NUM_STEPS = 20

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]
Observation = dict[str, npt.NDArray[Any]]


@pytest.fixture
def controller(saved_checkpoint: Path) -> Controller:
    return Controller.load(saved_checkpoint)


@pytest.fixture
def observation(make_observations: MakeObservations) -> Observation:
    """What one robot observes, as NumPy arrays."""
    return {key: value[0].numpy() for key, value in make_observations().items()}


def start_push(num_envs: int) -> BatchedEnv:
    env = BatchedEnv("push", num_envs, image_size=32, num_threads=1)
    env.reset(seeds=range(num_envs))
    return env


# The policy's actions --------------------------------------------------------------------------


@pytest.mark.parametrize("num_robots", [1, 2])
def test_a_rollout_is_the_training_policys(
    controller: Controller, make_policy: MakePolicy, instructions: dict[str, str], num_robots: int
) -> None:
    policy, bag = make_policy(), bag_of_words(instructions["push"])
    trained, controlled = start_push(num_robots), start_push(num_robots)
    executed = []
    for step in range(NUM_STEPS):
        offset = step % policy.config.execute_length
        if offset == 0:
            look = {**trained.images(), "proprioception": trained.proprioception()}
            chunk = policy.act(look, bag)
        trained.step(chunk[:, offset])

        observation = {"proprioception": controlled.proprioception()}
        assert controller.needs_images() == (offset == 0)
        if controller.needs_images():
            observation |= controlled.images()
        executed.append(controller.act(observation))
        assert torch.equal(executed[-1], chunk[:, offset]), step
        controlled.step(executed[-1])
        assert torch.equal(controlled.state, trained.state), step
    assert len({tuple(actions.flatten().tolist()) for actions in executed}) == NUM_STEPS


def test_it_acts_in_a_gymnasium_environment(controller: Controller) -> None:
    env = gymnasium.make("lam_envs:lam/Push-v0", image_size=32)
    observation, _ = env.reset(seed=1)
    for _ in range(3):
        action = controller.act(observation)
        assert isinstance(action, np.ndarray) and action in env.action_space
        observation, *_ = env.step(action)
    env.close()


def test_one_robot_and_a_batch_as_arrays_and_as_tensors(
    controller: Controller, make_observations: MakeObservations
) -> None:
    batch = make_observations(3)
    one = {key: value[:1] for key, value in batch.items()}
    expected = controller.act_chunk(one)
    assert (expected.shape, expected.dtype) == ((1, 4, 4), torch.float32)
    single = controller.act_chunk({key: value[0] for key, value in one.items()})
    assert torch.equal(single, expected[0])
    array = controller.act_chunk({key: value.numpy() for key, value in one.items()})
    assert isinstance(array, np.ndarray) and array.dtype == np.float32
    np.testing.assert_array_equal(array, expected.numpy())
    chunks = controller.act_chunk(batch)
    torch.testing.assert_close(chunks[:1], expected, rtol=0, atol=1e-5)
    assert torch.equal(controller.act(batch), chunks[:, 0])
    assert torch.equal(controller.act(batch), chunks[:, 1])


def test_tasks_differ(saved_checkpoint: Path, observation: Observation) -> None:
    reach, push = (Controller.load(saved_checkpoint, task) for task in ("reach", "push"))
    assert (reach.task, push.task) == ("reach", "push")
    assert not np.array_equal(reach.act(observation), push.act(observation))


def test_a_run_folder_is_a_path_too(saved_checkpoint: Path, observation: Observation) -> None:
    from_run = Controller.load(str(saved_checkpoint.parent))
    expected = Controller.load(saved_checkpoint).act(observation)
    np.testing.assert_array_equal(from_run.act(observation), expected)


# Far from a robot's ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "value", "name"), [(0, -412.0, "hand_x of -412"), (3, 60.0, "gripper_opening of 60")]
)
def test_other_units_are_told_once_and_stop_no_robot(
    controller: Controller,
    observation: Observation,
    recwarn: pytest.WarningsRecorder,
    check_sentence: Callable[[object], str],
    entry: int,
    value: float,
    name: str,
) -> None:
    controller.act(observation)
    assert not recwarn.list
    far = {**observation, "proprioception": observation["proprioception"].copy()}
    far["proprioception"][entry] = value
    for _ in range(3):
        controller.reset()
        assert (
            np.isfinite(controller.act(far)).all() and np.isfinite(controller.act_chunk(far)).all()
        )
    (warning,) = recwarn.list
    assert warning.category is FarObservationWarning and warning.filename == __file__
    words = check_sentence(warning.message)
    assert f"{name}; its first three entries must be metres" in words


def test_actions_that_are_nan_of_what_is_observed_blame_that(
    controller: Controller,
    make_observations: MakeObservations,
    check_sentence: Callable[[object], str],
) -> None:
    batch = make_observations(3)
    batch["proprioception"][1, 2] = -1e30
    for ask in (controller.act, controller.act_chunk):
        with pytest.raises(ObservationError, match=r"hand_z of -1e\+30, where the") as raised:
            ask(batch)
        check_sentence(raised.value)


# Instructions ----------------------------------------------------------------------------------


def test_a_learned_instruction_is_its_task(
    saved_checkpoint: Path, observation: Observation, instructions: dict[str, str]
) -> None:
    text = f"  {instructions['push'].upper()}!"  # The policy reads words alone.
    by_words = Controller.load(saved_checkpoint, instruction=text)
    assert by_words.is_instruction_seen and by_words.task == "push"
    assert by_words.instruction == text
    by_task = Controller.load(saved_checkpoint, task="push")
    assert by_task.is_instruction_seen and by_task.instruction == instructions["push"]
    np.testing.assert_array_equal(by_words.act(observation), by_task.act(observation))


def test_an_unseen_instruction_is_flagged_and_followed(
    saved_checkpoint: Path,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    instructions: dict[str, str],
    check_sentence: Callable[[object], str],
) -> None:
    text = instructions["push"].replace("puck", "hammer")
    assert text != instructions["push"]
    with pytest.warns(UnseenInstructionWarning) as caught:
        controller = Controller.load(saved_checkpoint, instruction=text)
    (warning,) = caught
    words = check_sentence(warning.message)
    assert warning.filename == __file__
    assert not controller.is_instruction_seen and controller.task is None
    near = controller.nearest_instruction
    assert (near.task, near.instruction) == ("push", instructions["push"])
    assert repr(text) in words and "task push" in words and f"{near.similarity:.2f}" in words
    policy = make_policy()
    asked, push, reach = (
        policy.instruction(bag_of_words(item)[None]).detach()
        for item in (text, instructions["push"], instructions["reach"])
    )
    assert near.similarity == pytest.approx(float(torch.cosine_similarity(asked, push)))
    assert float(torch.cosine_similarity(asked, reach)) < near.similarity < 1
    looks = make_observations()
    expected = policy.act(looks, bag_of_words(text))
    assert torch.equal(controller.act_chunk(looks), expected)
    assert not torch.equal(expected, policy.act(looks, bag_of_words(instructions["push"])))


# Chunks ----------------------------------------------------------------------------------------


def test_a_chunk_is_used_up_then_it_looks_again(
    controller: Controller, make_observations: MakeObservations
) -> None:
    first, second = (
        {key: value[0].numpy() for key, value in make_observations(1, seed).items()}
        for seed in (1, 2)
    )
    chunk, next_chunk = controller.act_chunk(first), controller.act_chunk(second)
    assert controller.needs_images()  # act_chunk leaves the chunk of act alone.
    np.testing.assert_array_equal(controller.act(first), chunk[0])
    np.testing.assert_array_equal(controller.act(second), chunk[1])
    assert controller.contract.execute_length == 2 and controller.needs_images()
    np.testing.assert_array_equal(controller.act(second), next_chunk[0])
    assert not controller.needs_images()
    controller.reset()
    assert controller.needs_images()
    np.testing.assert_array_equal(controller.act(first), chunk[0])


def test_actions_belong_to_the_caller(controller: Controller, observation: Observation) -> None:
    chunk = controller.act_chunk(observation)
    action = controller.act(observation)
    action[:] = 9.0
    np.testing.assert_array_equal(controller.act(observation), chunk[1])
    tensors = {key: torch.from_numpy(value) for key, value in observation.items()}
    tensor = controller.act(tensors)
    tensor += 1.0  # An inference tensor would not allow it.
    np.testing.assert_array_equal(controller.act(observation), chunk[1])


def test_read_only_and_flipped_pictures_are_taken(
    controller: Controller, observation: Observation
) -> None:
    flipped = {**observation, "front": observation["front"][::-1].copy()[::-1]}
    for value in flipped.values():
        value.setflags(write=False)
    np.testing.assert_array_equal(controller.act_chunk(flipped), controller.act_chunk(observation))


# What it refuses -------------------------------------------------------------------------------


def test_an_unknown_task_names_the_nearest(saved_checkpoint: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        Controller.load(saved_checkpoint, task="pusch")
    message = str(raised.value)
    assert "did you mean 'push'?" in message and "its tasks are reach, push;" in message
    with pytest.raises(ConfigError, match="no task 'drawer-open'"):  # Known, but not learned.
        Controller.load(saved_checkpoint, task="drawer-open")


@pytest.mark.parametrize("words", ["", "  ", "…!", "推"])
def test_an_instruction_without_words_is_refused(
    saved_checkpoint: Path, words: str, check_sentence: Callable[[object], str]
) -> None:
    with pytest.raises(ConfigError, match="no words") as raised:
        Controller.load(saved_checkpoint, instruction=words)
    check_sentence(raised.value)


def test_a_task_and_an_instruction_do_not_go_together(
    saved_checkpoint: Path, check_sentence: Callable[[object], str]
) -> None:
    with pytest.raises(ConfigError, match="give one of the two") as raised:
        Controller.load(saved_checkpoint, "push", instruction="push the puck")
    check_sentence(raised.value)


def test_a_damaged_checkpoint_is_not_driven_with(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        Controller.load(checkpoint)


HAND = np.zeros(4, np.float32)
PICTURE = np.zeros((32, 32, 3), np.uint8)

NO_DICTS = [None, [HAND], "hand"]

BAD = [
    ({"front": None}, "front is a NoneType"),
    ({"front": PICTURE.tolist()}, "front is a list"),
    ({"front": PICTURE[:31]}, r"front has shape \(31, 32, 3\)"),
    ({"front": PICTURE.transpose(2, 0, 1)}, r"must have shape \(32, 32, 3\)"),
    ({"front": PICTURE[None]}, r"front has shape \(1, 32, 32, 3\)"),
    ({"wrist": PICTURE.astype(np.float32)}, "wrist has .* type float32; .* type uint8"),
    ({"proprioception": HAND.astype(np.float64)}, "type float64; .* type float32"),
    ({"proprioception": HAND[:3]}, r"proprioception has shape \(3,\)"),
    ({"proprioception": HAND[None, None]}, r"proprioception has shape \(1, 1, 4\)"),
    ({"proprioception": np.zeros((0, 4), np.float32)}, r"shape \(0, 4\)"),
    ({"proprioception": np.float32(1)}, "proprioception"),
    ({"proprioception": "hand"}, "proprioception"),
    ({"proprioception": HAND + np.float32(np.nan)}, "proprioception holds NaN"),
    ({"proprioception": HAND + np.float32(np.inf)}, "proprioception holds NaN or infinity"),
    ({"proprioception": torch.full((4,), torch.nan)}, "proprioception holds NaN"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_bad_observation_is_refused_and_the_next_one_taken(
    controller: Controller, observation: Observation, change: dict[str, Any], message: str
) -> None:
    bad: dict[str, Any] = {**observation, **change}
    for act in (controller.act, controller.act_chunk):
        with pytest.raises(ObservationError, match=message):
            act(bad)
    chunk = controller.act_chunk(observation)
    np.testing.assert_array_equal(controller.act(observation), chunk[0])
    with pytest.raises(ObservationError, match=message):  # Between two looks, too.
        controller.act(bad)
    np.testing.assert_array_equal(controller.act(observation), chunk[1])


@pytest.mark.parametrize("key", ["front", "wrist", "proprioception"])
def test_a_missing_key_is_named(controller: Controller, observation: Observation, key: str) -> None:
    del observation[key]
    with pytest.raises(ObservationError, match=f"lacks {key}; it needs"):
        controller.act(observation)


def test_the_number_of_robots_stays_the_same(
    controller: Controller, make_observations: MakeObservations
) -> None:
    mixed = {**make_observations(2), "wrist": make_observations(3)["wrist"]}
    with pytest.raises(ObservationError, match=r"wrist has shape \(3, 32, 32, 3\)"):
        controller.act(mixed)
    controller.act(make_observations(2))
    with pytest.raises(ObservationError, match=r"of 3 robots, .* for 2; call reset"):
        controller.act(make_observations(3))
    controller.reset()
    assert controller.act(make_observations(3)).shape == (3, 4)


@pytest.mark.parametrize("observation", NO_DICTS)
def test_what_is_no_dict_is_refused(controller: Controller, observation: Any) -> None:
    with pytest.raises(ObservationError, match="it must be a dict with front, wrist"):
        controller.act(observation)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"task": 5}, "task is 5; it must be a string"),
        ({"instruction": ["push"]}, "instruction is .'push'.; it must be a string"),
        ({"device": None}, "there is no device None"),
        ({"path": None}, "the checkpoint is None; it must be a path"),
    ],
)
def test_arguments_of_other_kinds_are_refused(
    saved_checkpoint: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(LamAgentError, match=words):
        Controller.load(**{"path": saved_checkpoint, **arguments})
