"""Export to LeRobot: bit for bit there and back, and what a LeRobot user finds in a dataset."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lam_agent.__main__ import main
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError, MissingExtraError
from lam_agent.interchange import export_lerobot, import_lerobot
from lam_agent.interchange.lerobot import export, writer
from lam_envs.tasks.registry import make_task

MakeEpisodes = Callable[..., EpisodeSet]
AssertSame = Callable[[EpisodeSet, EpisodeSet], None]
Check = Callable[[object], str]

DATA = "data/chunk-000/file-000.parquet"


@pytest.mark.parametrize("look_every", [1, 2, 3, 7])
@pytest.mark.parametrize("has_tracked", [True, False])
def test_there_and_back_is_bit_for_bit_equal(
    make_episodes: MakeEpisodes,
    assert_same_episodes: AssertSame,
    tmp_path: Path,
    look_every: int,
    has_tracked: bool,
) -> None:
    sets = []
    for seed, task in enumerate(("push", "reach")):
        lengths = (5, 3, 8, 1)[seed:]
        episodes = make_episodes(task, lengths=lengths, look_every=look_every, seed=seed)
        if not has_tracked:
            tracked = torch.zeros_like(episodes.tracked)
            episodes = replace(episodes, tracked=tracked, has_tracked=False)
        sets.append(episodes)
    frames = export_lerobot(iter(sets), tmp_path / "data")
    assert frames == sum(episodes.num_frames for episodes in sets)
    for episodes in sets:
        assert_same_episodes(import_lerobot(tmp_path / "data", episodes.task), episodes)


def test_a_task_with_a_rate_of_its_own_comes_back(
    slow_task: str, make_episodes: MakeEpisodes, assert_same_episodes: AssertSame, tmp_path: Path
) -> None:
    for look_every in (1, 3):
        folder = tmp_path / str(look_every)
        episodes = make_episodes(slow_task, look_every=look_every, control_dt=0.025)
        export_lerobot([episodes], folder)
        assert_same_episodes(import_lerobot(folder, slow_task), episodes)
    with pytest.raises(EpisodeError, match=r"lasts 0\.0125 s; it must last 0\.025 s"):
        export_lerobot([make_episodes("push")], tmp_path / "push")
        (tmp_path / "push" / "meta" / "lam_agent.json").unlink()
        import_lerobot(tmp_path / "push", slow_task, look_every=2)


@pytest.fixture
def exported(make_episodes: MakeEpisodes, tmp_path: Path) -> tuple[Path, EpisodeSet, EpisodeSet]:
    """A dataset of two tasks with looks every second step, and what was put in."""
    push = make_episodes("push", lengths=(5, 4), look_every=2)
    reach = make_episodes("reach", lengths=(3,), look_every=2, seed=1)
    export_lerobot((push, reach), tmp_path / "data")
    return tmp_path / "data", push, reach


def test_a_frame_is_a_look_and_what_was_done_until_the_next(
    exported: tuple[Path, EpisodeSet, EpisodeSet],
) -> None:
    folder, push, reach = exported
    table = pq.read_table(folder / DATA)
    frames = table.to_pydict()
    assert frames["episode_index"] == [0, 0, 0, 1, 1, 2, 2]
    assert frames["frame_index"] == [0, 1, 2, 0, 1, 0, 1]
    assert frames["index"] == list(range(7))
    assert frames["task_index"] == [0] * 5 + [1] * 2
    assert np.allclose(frames["timestamp"], np.array(frames["frame_index"]) / 40)
    expected = push.actions[[0, 1, 2, 3, 4, 4, 5, 6, 7, 8]].reshape(5, 8)
    assert np.array_equal(np.float32(frames["action"][:5]), expected.numpy())
    assert frames["num_actions"] == [2, 2, 1, 2, 2, 2, 1]
    assert frames["next.done"] == [False, False, True, False, True, False, True]
    assert frames["next.success"] == [False, False, True, False, False, False, True]
    assert frames["next.reward"] == [0, 0, 1, 0, 0, 0, 1]
    state = torch.cat((push.proprioception, reach.proprioception))
    assert np.array_equal(np.float32(frames["observation.state"]), state.numpy())
    for camera in ("front", "wrist"):
        pictures = torch.cat((push.images[camera], reach.images[camera]))
        for row, picture in zip(
            frames[f"observation.images.{camera}"], pictures.numpy(), strict=True
        ):
            found = Image.open(io.BytesIO(row["bytes"]))
            assert found.format == "PNG" and np.array_equal(np.asarray(found), picture)
    described = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert described["observation.images.front"] == {"_type": "Image"}
    assert list(described) == table.column_names


def test_meta_says_what_lerobot_asks_for(exported: tuple[Path, EpisodeSet, EpisodeSet]) -> None:
    folder, _, _ = exported
    info = json.loads((folder / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"]) == ("v3.0", 40)
    assert [info[f"total_{what}"] for what in ("episodes", "frames", "tasks")] == [3, 7, 2]
    features = info["features"]
    assert list(features) == pq.read_schema(folder / DATA).names
    assert features["action"]["shape"] == [8]
    assert features["action"]["names"][3:5] == ["gripper_effort_0", "hand_dx_1"]
    assert features["observation.images.wrist"]["shape"] == [32, 32, 3]
    words = [make_task(task).instruction for task in ("push", "reach")]
    tasks = pq.read_table(folder / "meta/tasks.parquet")
    assert tasks.to_pydict() == {"task_index": [0, 1], "task": words}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    rows = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [row["tasks"] for row in rows] == [[words[0]], [words[0]], [words[1]]]
    assert [row["length"] for row in rows] == [3, 2, 2]
    assert [row["dataset_from_index"] for row in rows] == [0, 3, 5]
    assert [row["dataset_to_index"] for row in rows] == [3, 5, 7]


def test_a_policy_of_lerobot_sees_neither_goal_nor_success(
    exported: tuple[Path, EpisodeSet, EpisodeSet],
) -> None:
    # It takes whatever begins with `observation` as input, and with `action` as output.
    names = pq.read_schema(exported[0] / DATA).names
    assert {name for name in names if name.startswith("observation")} == {
        "observation.images.front",
        "observation.images.wrist",
        "observation.state",
    }
    assert [name for name in names if name.startswith("action")] == ["action"]


def test_statistics_are_those_of_all_frames(exported: tuple[Path, EpisodeSet, EpisodeSet]) -> None:
    folder, push, reach = exported
    stats = json.loads((folder / "meta/stats.json").read_text())
    state = torch.cat((push.proprioception, reach.proprioception)).double().numpy()
    images = torch.cat((push.images["front"], reach.images["front"])).numpy() / 255
    for key, values, axes, shape in (
        ("observation.state", state, 0, (4,)),
        ("observation.images.front", images, (0, 1, 2), (3, 1, 1)),
    ):
        for name, function in (
            ("min", np.min),
            ("max", np.max),
            ("mean", np.mean),
            ("std", np.std),
            ("q10", lambda array, axis: np.quantile(array, 0.1, axis=axis)),
            ("q99", lambda array, axis: np.quantile(array, 0.99, axis=axis)),
        ):
            found = np.array(stats[key][name])
            assert found.shape == shape
            tolerance = 1 / 255 if name.startswith("q") else 1e-12
            assert np.allclose(found.ravel(), function(values, axis=axes), atol=tolerance), name
        assert stats[key]["count"] == [7]
    row = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()[1]
    second = push.proprioception[3:].double().numpy()
    assert np.allclose(row["stats/observation.state/mean"], second.mean(0))
    assert np.allclose(
        np.ravel(row["stats/observation.images.wrist/mean"]),
        push.images["wrist"][3:].numpy().mean((0, 1, 2)) / 255,
    )


def test_long_datasets_have_several_files(
    make_episodes: MakeEpisodes,
    assert_same_episodes: AssertSame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "DATA_FILE_MB", 0.01)
    monkeypatch.setattr(writer, "FILES_IN_CHUNK", 2)
    episodes = make_episodes("push", lengths=(5, 3, 8, 1, 2))
    export_lerobot([episodes], tmp_path / "data")
    folder = tmp_path / "data/data"
    files = [file.relative_to(folder).as_posix() for file in sorted(folder.glob("*/*"))]
    assert files[:3] == [
        "chunk-000/file-000.parquet",
        "chunk-000/file-001.parquet",
        "chunk-001/file-000.parquet",
    ]
    assert_same_episodes(import_lerobot(tmp_path / "data", "push"), episodes)


def test_tasks_that_differ_are_refused_and_leave_nothing(
    make_episodes: MakeEpisodes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Check,
) -> None:
    push = make_episodes("push")
    for other, part in (
        (make_episodes("reach", look_every=3), "the look_every of reach (3) are not"),
        (make_episodes("reach", size=40), "(front 40x40, wrist 40x40) are not those"),
        (
            replace(
                reach := make_episodes("reach"),
                has_tracked=False,
                tracked=torch.zeros_like(reach.tracked),
            ),
            "the tracked positions of reach (False)",
        ),
    ):
        with pytest.raises(EpisodeError) as caught:
            export_lerobot([push, other], tmp_path / "data")
        assert part in check_sentence(caught.value)
    monkeypatch.setattr(export, "make_task", lambda _: SimpleNamespace(instruction="go"))
    with pytest.raises(EpisodeError, match=r"reach and push have the same instruction") as caught:
        export_lerobot([push, make_episodes("reach")], tmp_path / "data")
    check_sentence(caught.value)
    with pytest.raises(EpisodeError, match="no demonstrations") as caught:
        export_lerobot([], tmp_path / "data")
    check_sentence(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_fails_halfway_leaves_nothing(make_episodes: MakeEpisodes, tmp_path: Path) -> None:
    def sets() -> Iterator[EpisodeSet]:
        yield make_episodes("push")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        export_lerobot(sets(), tmp_path / "data")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays(
    make_episodes: MakeEpisodes,
    assert_same_episodes: AssertSame,
    tmp_path: Path,
    check_sentence: Check,
) -> None:
    export_lerobot([make_episodes("push")], tmp_path / "data")
    with pytest.raises(EpisodeError, match="data exists already; remove it or") as caught:
        export_lerobot([make_episodes("push", seed=1)], tmp_path / "data")
    check_sentence(caught.value)
    assert_same_episodes(import_lerobot(tmp_path / "data", "push"), make_episodes("push"))


def test_without_pyarrow_the_extra_is_named(
    make_episodes: MakeEpisodes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Check,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for use in (
        lambda: export_lerobot([make_episodes("push")], tmp_path / "data"),
        lambda: import_lerobot(tmp_path / "data", "push"),
    ):
        with pytest.raises(
            MissingExtraError, match=r'pip install "lam-agent\[lerobot\]"'
        ) as caught:
            use()
        check_sentence(caught.value)


# Commands ---------------------------------------------------------------------------------------


def test_a_folder_is_exported_and_imported_by_commands(
    own_folder: Path,
    assert_imported: Callable[[str, str], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "deep/data"
    assert main(["export-lerobot", str(own_folder), "--output", str(data)]) == 0
    printed = capsys.readouterr().out
    assert f"Exported 6 demonstrations of push, reach: 18 frames; {data}" in printed
    assert_imported("import-lerobot", str(data))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["no/such"], "no/such holds no demonstrations"),
        (["own", "--tasks", "puhs"], "has no puhs.safetensors (did you mean 'push.safetensors'?)"),
        (["own", "--output", "own"], "own exists already; remove it or choose another --output"),
    ],
)
def test_export_refuses(
    arguments: list[str],
    part: str,
    make_episodes: MakeEpisodes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Check,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_episodes("push").save(Path("own/push.safetensors"))
    assert main(["export-lerobot", "--output", "data", *arguments]) == 2
    words = capsys.readouterr().err.removeprefix("lam-agent: error: ").removesuffix("\n")
    assert part in check_sentence(words)
    assert [path.name for path in tmp_path.iterdir() if path.name != "minari"] == ["own"]
