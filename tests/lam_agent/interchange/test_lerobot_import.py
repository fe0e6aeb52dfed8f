"""Import of LeRobot datasets of other people: keys, looks, pictures, videos, and refusals."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lerobot_files
import numpy as np
import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.commands.import_lerobot import _read_range
from lam_agent.config import PolicyConfig, RunConfig
from lam_agent.demonstrations.folder import read_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError, LamAgentError, MissingExtraError
from lam_agent.interchange import LeRobotKeys, export_lerobot, import_lerobot
from lam_agent.interchange.lerobot import choice
from lam_agent.interchange.lerobot import frames as reader
from lam_envs.errors import UnknownTaskError

MakeEpisodes = Callable[..., EpisodeSet]
Check = Callable[[object], str]
Parts = dict[str, Any]

CAMERAS = dict(zip(("front", "wrist"), lerobot_files.CAMERAS, strict=True))
KEYS = LeRobotKeys(CAMERAS, tracked="positions")
FIRST, SECOND, THIRD = np.arange(5), np.arange(5, 8), np.arange(8, 16)
"""Frames of each episode."""


def import_foreign(folder: Path, **changes: Any) -> EpisodeSet:
    return import_lerobot(folder, "push", **{"keys": KEYS, "instruction": "push it", **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "table"


@pytest.mark.parametrize("is_video", [False, True])
@pytest.mark.parametrize("look_every", [1, 2, 4])
def test_keys_are_mapped_and_looks_are_kept_at_their_frames(
    folder: Path, is_video: bool, look_every: int
) -> None:
    columns = lerobot_files.write_dataset(folder, is_video=is_video)["columns"]
    for instruction, own in (("push it", (FIRST, THIRD)), ("reach it", (SECOND,))):
        episodes = import_foreign(folder, instruction=instruction, look_every=look_every)
        frames = np.concatenate(own)
        looks = np.concatenate([part[::look_every] for part in own])
        assert (episodes.look_every, episodes.control_dt) == (look_every, 0.0125)
        assert episodes.has_tracked
        assert episodes.episode_start.diff().tolist() == [len(part) for part in own]
        assert episodes.is_success.tolist() == ([True, False] if len(own) == 2 else [True])
        assert np.array_equal(episodes.actions.numpy(), np.float32(columns["action"][frames]))
        for camera, key in CAMERAS.items():
            assert np.array_equal(episodes.images[camera].numpy(), columns[key][looks])
        state = np.float32(columns["observation.state"][looks])
        assert np.array_equal(episodes.proprioception.numpy(), state)
        assert np.array_equal(episodes.tracked.numpy(), np.float32(columns["positions"][looks]))


def test_a_long_file_is_read_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = lerobot_files.write_dataset(folder)["columns"]
    for rows in (1, 3, 5, 7):
        monkeypatch.setattr(reader, "_ROWS_AT_A_TIME", rows)
        episodes = import_foreign(folder)
        frames = np.concatenate((FIRST, THIRD))
        assert np.array_equal(episodes.actions.numpy(), np.float32(columns["action"][frames]))
        assert np.array_equal(episodes.images["wrist"].numpy(), columns[CAMERAS["wrist"]][frames])


def test_a_range_of_episodes_is_taken(folder: Path, check_sentence: Check) -> None:
    lerobot_files.write_dataset(folder)
    assert import_foreign(folder, episodes=(1, 3)).episode_start.tolist() == [0, 8]
    assert import_foreign(folder, episodes=(1, None)).episode_start.tolist() == [0, 8]
    for wrong, part in (
        ((2, 2), "episodes is 2:2; it must lie in 0:3"),
        ((0, 4), "episodes is 0:4"),
        ((1, 2), "none of the episodes 1:2 follows 'push it'"),
    ):
        with pytest.raises(EpisodeError) as caught:
            import_foreign(folder, episodes=wrong)
        assert part in check_sentence(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"), [("1:3", (1, 3)), ("2:", (2, None)), (":5", (0, 5)), (None, None)]
)
def test_either_end_of_a_range_may_be_missing(
    words: str | None, expected: tuple[int, int | None] | None
) -> None:
    assert _read_range(words) == expected


def test_without_success_every_episode_can_count_as_one(folder: Path) -> None:
    def change(parts: Parts) -> None:
        del parts["info"]["features"]["next.success"], parts["columns"]["next.success"]

    lerobot_files.write_dataset(folder, change)
    keys = LeRobotKeys(CAMERAS, success="always")
    episodes = import_foreign(folder, keys=keys)
    assert episodes.is_success.tolist() == [True, True]
    assert not episodes.has_tracked
    assert torch.equal(episodes.tracked, torch.zeros(13, 6))


def test_the_tasks_own_words_are_found_among_others(
    folder: Path, make_episodes: MakeEpisodes, check_sentence: Check
) -> None:
    export_lerobot(
        [make_episodes("push", look_every=1), make_episodes("reach", look_every=1, seed=1)], folder
    )
    with pytest.raises(
        EpisodeError, match=r"demonstrates push, reach, not 'drawer-open'"
    ) as caught:
        import_lerobot(folder, "drawer-open")
    check_sentence(caught.value)
    (folder / "meta/lam_agent.json").unlink()  # As LeRobot's tools leave it out.
    episodes = import_lerobot(folder, "reach")
    assert torch.equal(episodes.actions, make_episodes("reach", look_every=1, seed=1).actions)
    with pytest.raises(
        EpisodeError, match=r"several instructions, and none is .*; name one by --instruction"
    ) as caught:
        import_lerobot(folder, "drawer-open")
    check_sentence(caught.value)


def test_chunks_of_unknown_origin_are_read_when_their_length_is_given(
    folder: Path, make_episodes: MakeEpisodes, check_sentence: Check
) -> None:
    episodes = make_episodes("push", look_every=2)
    export_lerobot([episodes], folder)
    with pytest.raises(EpisodeError, match=r"demonstrates push, not 'reach'"):
        import_lerobot(folder, "reach")
    with pytest.raises(EpisodeError, match=r"every 2 control steps, once for each") as caught:
        import_lerobot(folder, "push", look_every=4)
    check_sentence(caught.value)
    (folder / "meta/lam_agent.json").unlink()
    found = import_lerobot(folder, "push", look_every=2)
    assert torch.equal(found.actions, episodes.actions)
    assert torch.equal(found.episode_start, episodes.episode_start)
    for wrong in (None, 4):
        with pytest.raises(
            EpisodeError, match=r"shape \(8,\); they must have shape \(4,\)"
        ) as caught:
            import_lerobot(folder, "push", look_every=wrong)
        check_sentence(caught.value)


def test_the_command_makes_demonstrations_that_a_run_reads(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lerobot_files.write_dataset(folder, is_video=True)
    arguments = {
        "task": "push",
        "output": str(tmp_path / "own"),
        "instruction": "push it",
        "episodes": "0:3",
        "camera-keys": "front=observation.images.table, wrist=observation.images.hand",
        "look-every": "2",
    }
    words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    assert main(["import-lerobot", str(folder), *words]) == 0
    printed = capsys.readouterr().out
    assert "Imported 2 demonstrations of push: 7 looks, 13 actions, 50% succeed" in printed
    assert "no tracked positions (tracked): run with --train.auxiliary-weight 0" in printed
    config = RunConfig(
        task_stream=("push",),
        demonstrations_path=tmp_path / "own",
        policy=PolicyConfig(image_size=40),
    )
    with pytest.raises(LamAgentError, match="no tracked positions"):
        read_demonstrations("push", config)
    assert main(["import-lerobot", str(folder), *words]) == 2
    assert "push.safetensors exists already" in capsys.readouterr().err


# Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"look_every": 0}, "look-every is 0"),
        ({"instruction": "push"}, "no instruction 'push' (did you mean 'push it'?)"),
        (
            {"instruction": None},
            "several instructions, and none is 'push the puck to the green marker'",
        ),
        ({"keys": LeRobotKeys()}, "(did you mean 'observation.images.hand'?); they have"),
        (
            {"keys": LeRobotKeys({"front": "action", "wrist": CAMERAS["wrist"]})},
            "'action' has type float32; it must be image or video; name another by --camera-keys",
        ),
        ({"keys": LeRobotKeys(CAMERAS, state="state")}, "name another by --state-key"),
        ({"keys": LeRobotKeys(CAMERAS, action="actoin")}, "(did you mean 'action'?)"),
        ({"keys": LeRobotKeys(CAMERAS, tracked="position")}, "(did you mean 'positions'?)"),
        ({"keys": LeRobotKeys(CAMERAS, success="done")}, "by --success-key (or 'always')"),
        (
            {"keys": LeRobotKeys(CAMERAS, state="positions")},
            "shape (5, 6); for 5 steps it must have shape (5, 4)",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    folder: Path, changes: dict[str, Any], part: str, check_sentence: Check
) -> None:
    lerobot_files.write_dataset(folder)
    with pytest.raises(LamAgentError) as caught:
        import_foreign(folder, **changes)
    words = check_sentence(caught.value)
    assert part in words and str(folder) in words


def with_column(key: str, change: Callable[[Any], Any]) -> Callable[[Parts], None]:
    return lambda parts: parts["columns"].update({key: change(parts["columns"][key])})


def with_info(**entries: Any) -> Callable[[Parts], None]:
    return lambda parts: parts["info"].update(entries)


def with_shape(key: str, *shape: int) -> Callable[[Parts], None]:
    return lambda parts: parts["info"]["features"][key].update(shape=list(shape))


def with_picture(frame: int, picture: Any) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        rows: list[Any] = [
            {"bytes": lerobot_files.png(row)} for row in parts["columns"][CAMERAS["wrist"]]
        ]
        rows[frame] = picture
        parts["columns"][CAMERAS["wrist"]] = rows

    return change


def with_two_instructions(parts: Parts) -> None:
    parts["episodes"][2]["tasks"] = ["push it", "reach it"]


GREY = lerobot_files.png(np.zeros((40, 40), np.uint8))
SMALL = lerobot_files.png(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (
            with_info(codebase_version="v2.1"),
            "its format is v2.1; this version reads v3.0; con",
        ),
        (with_info(codebase_version=None), "its format is None"),
        (with_info(fps=30), "an action lasts 0.0333333"),
        (with_info(fps=0), "does not say fps"),
        (with_info(fps="80"), "does not say fps"),
        (with_info(features={"action": {"dtype": "float32"}}), "features with dtype and shape"),
        (with_info(data_path="{nowhere}"), "cannot be read ('nowhere')"),
        (with_shape("action", 7), "its actions have shape (7,)"),
        (with_shape("action", 2, 4), "its actions have shape (2, 4)"),
        (with_shape(CAMERAS["front"], 40, 48, 3), "have shape (40, 48, 3); they must be square"),
        (with_shape(CAMERAS["front"], 40, 40, 1), "have shape (40, 40, 1); they must be square"),
        (with_shape(CAMERAS["front"], 32, 32, 3), "has shape (40, 40, 3) and mode RGB; it must"),
        (with_column("action", lambda a: 2 * a), "has an action of 1."),
        (with_column("action", lambda a: a * np.nan), "the array of actions holds NaN"),
        (with_column("action", lambda a: (9 * a).astype(int)), "of actions has type int64"),
        (with_column("action", lambda a: [None, *a[1:]]), "'action' has gaps in some frames"),
        (with_column("action", lambda a: [a[0][:3], *a[1:]]), "'action' has gaps in some frames"),
        (with_column("next.success", lambda s: [None, *s[1:]]), "'next.success' has gaps"),
        (with_column("next.success", lambda s: list(map(str, s))), "must hold truth values"),
        (with_column("next.success", lambda s: [np.nan] * len(s)), "'next.success' holds NaN"),
        (
            with_column("observation.state", lambda s: 1000 * s),
            "three entries must be metres",
        ),
        (with_column("observation.state", lambda s: 3 * s), "fourth entry must lie in [0, 1]"),
        (with_column("episode_index", lambda e: e + 1), "episode 2 has 3 frames in its data file"),
        (with_column("frame_index", lambda f: f[::-1]), "frames in its data file"),
        (with_column("episode_index", lambda e: e + 9), "episode 0 has 0 frames in its data file"),
        (with_picture(3, {"bytes": None}), "frame 3 of 'observation.images.hand' is not embedded"),
        (with_picture(3, {"bytes": b"GIF?"}), "cannot be read (cannot identify image file"),
        (with_picture(3, {"bytes": GREY}), "has shape (40, 40, 1) and mode L; it must have shape"),
        (with_picture(3, {"bytes": SMALL}), "has shape (32, 32, 3) and mode RGB; it must have"),
        (with_two_instructions, "episode 2 follows several instructions ('push it', 'reach it')"),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused(
    folder: Path, change: Callable[[Parts], object], part: str, check_sentence: Check
) -> None:
    lerobot_files.write_dataset(folder, change)
    with pytest.raises(LamAgentError) as caught:
        import_foreign(folder)
    words = check_sentence(caught.value)
    assert part in words and str(folder) in words


def test_pictures_with_channels_first_in_meta_are_read(folder: Path) -> None:
    def change(parts: Parts) -> None:
        feature = parts["info"]["features"][CAMERAS["front"]]
        feature.update(shape=[3, 40, 40], names=["channels", "height", "width"])

    columns = lerobot_files.write_dataset(folder, change)["columns"]
    front = import_foreign(folder).images["front"].numpy()
    assert np.array_equal(front, columns[CAMERAS["front"]][np.concatenate((FIRST, THIRD))])


def test_a_video_that_does_not_fit_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, check_sentence: Check
) -> None:
    def refused(part: str) -> None:
        with pytest.raises(EpisodeError) as caught:
            import_foreign(folder)
        assert part in check_sentence(caught.value)

    pictures = lerobot_files.write_dataset(folder, is_video=True)["columns"][CAMERAS["wrist"]]
    video = folder / "videos" / CAMERAS["wrist"] / "chunk-000/file-000.mp4"
    whole = video.read_bytes()
    lerobot_files.write_video(video, pictures[:12])
    refused("the video of 'observation.images.hand' has no picture at 0.1500 s")
    lerobot_files.write_video(video, pictures[:, :32, :32])
    refused("has 32x32 pixels; it must have 40x40, as the features say")
    video.write_bytes(whole[:200])
    refused("videos/observation.images.hand/chunk-000/file-000.mp4 cannot be read")
    video.unlink()
    refused("file-000.mp4 cannot be read")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"videos need the package av, which") as caught:
        import_foreign(folder)
    check_sentence(caught.value)


def test_pictures_need_no_av(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lerobot_files.write_dataset(folder)
    monkeypatch.setitem(sys.modules, "av", None)
    assert import_foreign(folder).num_episodes == 2


@pytest.mark.parametrize(
    "name",
    [
        "meta/info.json",
        "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-000.parquet",
        "meta/lam_agent.json",
    ],
)
def test_a_damaged_or_missing_file_is_named(folder: Path, name: str, check_sentence: Check) -> None:
    lerobot_files.write_dataset(folder)
    origin = {"format_version": 1, "tasks": {"push": "push it"}}
    (folder / "meta/lam_agent.json").write_text(json.dumps(origin))
    assert import_foreign(folder).num_episodes == 2
    (folder / name).write_bytes((folder / name).read_bytes()[:-30])
    with pytest.raises(EpisodeError, match="cannot be read") as caught:
        import_foreign(folder)
    assert name.removesuffix("/chunk-000/file-000.parquet") in check_sentence(caught.value)
    (folder / name).unlink()
    if name != "meta/lam_agent.json":
        with pytest.raises(EpisodeError) as caught:
            import_foreign(folder)
        check_sentence(caught.value)


def test_a_missing_dataset_and_a_newer_origin_are_refused(
    folder: Path, check_sentence: Check
) -> None:
    with pytest.raises(EpisodeError, match=r"no LeRobot dataset in .*, which must hold") as caught:
        import_foreign(folder)
    check_sentence(caught.value)
    lerobot_files.write_dataset(folder)
    with pytest.raises(UnknownTaskError):
        import_lerobot(folder, "pusch")
    (folder / "meta/lam_agent.json").write_text('{"format_version": 2}')
    with pytest.raises(
        EpisodeError, match="metadata have format 2; this version reads 1"
    ) as caught:
        import_foreign(folder)
    check_sentence(caught.value)
    shutil.rmtree(folder / "meta/episodes")
    (folder / "meta/lam_agent.json").unlink()
    with pytest.raises(EpisodeError, match="has no episodes") as caught:
        import_foreign(folder)
    check_sentence(caught.value)


def test_more_pictures_than_the_memory_holds_are_refused_before_they_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, check_sentence: Check
) -> None:
    lerobot_files.write_dataset(folder)
    (folder / "data/chunk-000/file-000.parquet").unlink()
    megabytes = 3 * 13 * 40 * 40 * 3 / 2**20  # Two cameras, and one of them once more.
    monkeypatch.setattr(choice, "available_memory_mb", lambda: 0.99 * megabytes)
    with pytest.raises(EpisodeError, match=r"fewer episodes by --episodes START:END") as caught:
        import_foreign(folder)
    check_sentence(caught.value)
    monkeypatch.setattr(choice, "available_memory_mb", lambda: 1.01 * megabytes)
    with pytest.raises(EpisodeError, match="cannot be read"):
        import_foreign(folder)


@pytest.mark.parametrize("words", ["3", ":", "a:b", "1:2:3", "-1:2"])
def test_a_range_that_is_none_is_refused(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], check_sentence: Check
) -> None:
    arguments = ["--task", "push", "--output", str(tmp_path / "own"), f"--episodes={words}"]
    assert main(["import-lerobot", str(tmp_path), *arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("lam-agent: error: episodes is")
    check_sentence(printed.removesuffix("\n"))
