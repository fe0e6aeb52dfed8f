"""Import of datasets of other people: mapping of keys, subsampled looks, and refusals."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
import pytest
import torch
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

from lam_agent.__main__ import main
from lam_agent.config import PolicyConfig, RunConfig
from lam_agent.demonstrations.folder import read_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError, LamAgentError
from lam_agent.interchange import MinariKeys, import_minari
from lam_agent.interchange.checks import check_control_dt, check_look_every
from lam_envs.errors import UnknownTaskError

MakeDataset = Callable[..., list[EpisodeBuffer]]
Check = Callable[[object], str]

NAME = "other/table-v0"
KEYS = MinariKeys(
    {"front": "images/table_camera", "wrist": "images/hand_camera"},
    proprioception="robot",
    tracked="positions",
    success="success",
)


def import_foreign(**changes: Any) -> EpisodeSet:
    return import_minari(NAME, "push", **{"keys": KEYS, "control_dt": 0.0125, **changes})


@pytest.mark.parametrize("look_every", [1, 2, 4])
def test_keys_are_mapped_and_looks_are_kept_at_their_steps(
    foreign_dataset: MakeDataset, look_every: int
) -> None:
    buffers = foreign_dataset()
    episodes = import_foreign(look_every=look_every)
    assert (episodes.look_every, episodes.control_dt, episodes.has_tracked) == (
        look_every,
        0.0125,
        True,
    )
    assert episodes.episode_start.tolist() == [0, 5, 13]
    assert episodes.is_success.tolist() == [True, True]
    actions = np.concatenate([buffer.actions for buffer in buffers]).astype(np.float32)
    assert np.array_equal(episodes.actions.numpy(), actions)

    def kept(*keys: str) -> Any:
        found = []
        for buffer in buffers:
            values: Any = buffer.observations
            for key in keys:
                values = values[key]
            found.append(values[: len(buffer) : look_every])
        return np.concatenate(found)

    assert np.array_equal(episodes.images["front"].numpy(), kept("images", "table_camera"))
    assert np.array_equal(episodes.images["wrist"].numpy(), kept("images", "hand_camera"))
    assert np.array_equal(episodes.proprioception.numpy(), kept("robot").astype(np.float32))
    assert np.array_equal(episodes.tracked.numpy(), kept("positions").astype(np.float32))


def test_terminations_can_stand_for_success(foreign_dataset: MakeDataset) -> None:
    foreign_dataset()
    keys = MinariKeys(KEYS.cameras, "robot", success="terminations")
    episodes = import_foreign(keys=keys)
    assert episodes.is_success.tolist() == [False, True]
    assert not episodes.has_tracked
    assert torch.equal(episodes.tracked, torch.zeros(13, 6))


def test_the_command_makes_demonstrations_that_a_run_reads(
    foreign_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign_dataset()
    arguments = {
        "task": "push",
        "output": str(tmp_path / "own"),
        "camera-keys": "front=images/table_camera, wrist=images/hand_camera",
        "proprioception-key": "robot",
        "success-key": "success",
        "control-dt": "0.0125",
        "look-every": "2",
    }
    words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    assert main(["import-minari", NAME, *words]) == 0
    printed = capsys.readouterr().out
    assert "Imported 2 demonstrations of push: 7 looks, 13 actions, 100% succeed" in printed
    assert "--train.auxiliary-weight 0" in printed
    config = RunConfig(
        task_stream=("push",),
        demonstrations_path=tmp_path / "own",
        policy=PolicyConfig(image_size=40),
    )
    with pytest.raises(LamAgentError, match="no tracked positions"):
        read_demonstrations("push", config)


def test_a_recording_of_the_gymnasium_environment_needs_no_mapping() -> None:
    environment = gymnasium.make("lam_envs:lam/Push-v0", image_size=32)
    actions = np.random.default_rng(3).uniform(-1, 1, (6, 4)).astype(np.float32)
    observations = [environment.reset(seed=3)[0]]
    is_success = []
    for action in actions:
        observation, _, _, _, info = environment.step(action)
        observations.append(observation)
        is_success.append(info["is_success"])
    recording = {
        key: np.stack([observation[key] for observation in observations]) for key in observations[0]
    }
    truncations = np.arange(6) == 5
    buffer = EpisodeBuffer(
        observations=recording,
        actions=actions,
        rewards=np.zeros(6),
        terminations=np.zeros(6, bool),
        truncations=truncations,
        infos={"is_success": np.array(is_success)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        minari.create_dataset_from_buffers(NAME, [buffer], env=environment, jpeg_encoding=False)
    environment.close()
    episodes = import_minari(NAME, "push", control_dt=0.0125, look_every=3)
    assert torch.equal(episodes.actions, torch.from_numpy(actions))
    assert episodes.look_step.tolist() == [0, 3]
    for camera in ("front", "wrist"):
        assert np.array_equal(episodes.images[camera].numpy(), recording[camera][[0, 3]])
    assert np.array_equal(episodes.proprioception.numpy(), recording["proprioception"][[0, 3]])
    assert episodes.is_success.tolist() == [any(is_success)]


# Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"control_dt": None}, "does not say how long an action lasts; name it by --control-dt"),
        ({"control_dt": 0.05}, "an action lasts 0.05 s; it must last 0.0125 s"),
        ({"control_dt": float("nan")}, "an action lasts nan s"),
        ({"look_every": 0}, "look-every is 0"),
        (
            {"keys": MinariKeys()},
            "have no entry 'front' (did you mean 'robot'?); they have images/",
        ),
        (
            {"keys": MinariKeys({"front": "images/table_camer", "wrist": "robot"})},
            "(did you mean 'images/table_camera'?)",
        ),
        ({"keys": MinariKeys(KEYS.cameras)}, "name another by --proprioception-key"),
        (
            {"keys": MinariKeys(KEYS.cameras, "robot", tracked="position")},
            "(did you mean 'positions'?)",
        ),
        ({"keys": MinariKeys(KEYS.cameras, "robot")}, "infos have no entry 'is_success'"),
        (
            {"keys": MinariKeys({"front": "robot", "wrist": "robot"}, "robot")},
            "'robot' has shape (6, 4) and type float64; square RGB pictures of 5 steps must",
        ),
        ({"keys": MinariKeys(KEYS.cameras, "positions")}, "shape (6, 6); for 5 steps it must"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    foreign_dataset: MakeDataset, changes: dict[str, Any], part: str, check_sentence: Check
) -> None:
    foreign_dataset()
    with pytest.raises(LamAgentError) as caught:
        import_foreign(**changes)
    words = check_sentence(caught.value)
    assert part in words and NAME in words


def with_actions(values: Any, space: spaces.Space[Any] | None = None) -> Any:
    def change(parts: dict[str, Any], box: dict[str, Any]) -> None:
        parts["actions"] = values(parts["actions"])
        box["action_space"] = space or box["action_space"]

    return change


def with_robot(values: Any) -> Any:
    def change(parts: dict[str, Any], box: dict[str, Any]) -> None:
        parts["observations"]["robot"] = values(parts["observations"]["robot"])

    return change


def with_array(parts: dict[str, Any], box: dict[str, Any]) -> None:
    parts["observations"] = parts["observations"]["robot"]
    box["observation_space"] = spaces.Box(-2.0, 2.0, (4,), np.float64)


def with_words(parts: dict[str, Any], box: dict[str, Any]) -> None:
    parts["infos"] = {"success": ["no"] * (len(parts["rewards"]) + 1)}


def with_nan(parts: dict[str, Any], box: dict[str, Any]) -> None:
    parts["infos"] = {"success": np.full(len(parts["rewards"]) + 1, np.nan)}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (with_actions(lambda a: 2 * a), "has an action of 1.9"),
        (with_actions(lambda a: a * np.nan), "the array of actions holds NaN"),
        (
            with_actions(lambda a: a[:, :3], spaces.Box(-1, 1, (3,))),
            "action space is Box(-1.0, 1.0, (3,), float32); it must be a Box of shape (4,)",
        ),
        (
            with_actions(lambda a: np.zeros(len(a), int), spaces.Discrete(5)),
            "action space is Discrete(5)",
        ),
        (
            with_actions(lambda a: np.zeros(a.shape, int), spaces.Box(-1, 1, (4,), np.int64)),
            "the array of actions has type int64; it must have type float32",
        ),
        (with_robot(lambda r: 1000 * r), "its first three entries must be metres"),
        (with_robot(lambda r: r * (1, 1, 1, 3)), "its fourth entry must lie in [0, 1]"),
        (with_robot(lambda r: np.full_like(r, np.inf)), "'robot' holds NaN or infinity"),
        (with_array, "its observations are a single array; they must be a Dict"),
        (with_words, "the info 'success' has type"),
        (with_nan, "the info 'success' holds NaN; it must hold truth values"),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused(
    foreign_dataset: MakeDataset, change: Any, part: str, check_sentence: Check
) -> None:
    foreign_dataset(change)
    with pytest.raises(LamAgentError) as caught:
        import_foreign()
    words = check_sentence(caught.value)
    assert part in words and NAME in words


def test_a_chunk_cannot_be_subsampled(
    make_episodes: Callable[..., EpisodeSet], check_sentence: Check
) -> None:
    from lam_agent.interchange import export_minari

    export_minari(make_episodes("push", look_every=2), NAME)
    with pytest.raises(LamAgentError, match="every 2 control steps, once for each") as caught:
        import_minari(NAME, "push", look_every=4)
    check_sentence(caught.value)
    with pytest.raises(LamAgentError, match="demonstrates 'push', not 'reach'") as caught:
        import_minari(NAME, "reach")
    check_sentence(caught.value)
    with pytest.raises(LamAgentError, match=r"lasts 0\.05 s"):
        import_minari(NAME, "push", control_dt=0.05)


def test_a_missing_dataset_is_named_with_the_nearest_and_nothing_is_downloaded(
    foreign_dataset: MakeDataset, check_sentence: Check
) -> None:
    foreign_dataset()
    with pytest.raises(LamAgentError, match=r"did you mean 'other/table-v0'") as caught:
        import_minari("other/tabel-v0", "push")
    assert "minari download other/tabel-v0" in check_sentence(caught.value)
    with pytest.raises(UnknownTaskError):
        import_minari(NAME, "pusch")


@pytest.mark.parametrize("kept", [0, 1000, -2000])
def test_a_damaged_dataset_is_refused(
    foreign_dataset: MakeDataset, minari_home: Path, kept: int, check_sentence: Check
) -> None:
    foreign_dataset()
    (file,) = minari_home.rglob("*.hdf5")
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(LamAgentError, match="cannot be read") as caught:
        import_foreign()
    assert NAME in check_sentence(caught.value)


@pytest.mark.parametrize("words", ["front", "front=", "front=a,top=b", "front=a"])
def test_camera_keys_that_are_none_are_refused(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], check_sentence: Check
) -> None:
    arguments = ["--task", "push", "--output", str(tmp_path / "own"), "--camera-keys", words]
    assert main(["import-minari", NAME, *arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("lam-agent: error: camera-keys ")
    check_sentence(printed.removesuffix("\n"))


@pytest.mark.parametrize("said", ["x", 2.5, [2], -2, True])
def test_what_a_dataset_says_of_its_looks_is_checked(said: object) -> None:
    with pytest.raises(EpisodeError, match=r"its look_every is .*; it must be a whole number"):
        check_look_every(None, said, None)
    assert check_look_every(None, said, 3) == 3


@pytest.mark.parametrize("said", ["abc", [1], True])
def test_what_a_dataset_says_of_its_rate_is_checked(said: object) -> None:
    with pytest.raises(EpisodeError, match=r"its control_dt is .*; it must be a number"):
        check_control_dt(0.0125, said, None)
