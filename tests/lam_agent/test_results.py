"""`results.json`: what is written comes back, and what is broken is refused in one sentence."""

import dataclasses
import json
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lam_agent.errors import ResultsError
from lam_agent.metrics import compute_metrics
from lam_agent.metrics.intervals import compute_intervals
from lam_agent.metrics.pretraining_success import BEFORE, PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results import Cost, Results, WallTime, read_results, seal, write_results

NAN = float("nan")
Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def results() -> Results:
    """Results of a finished run on two tasks, with one cell that was not evaluated."""
    matrix = SuccessMatrix(
        [[0.0, 0.1], [1.0, NAN], [0.9, 0.7]],
        [[0.0, 0.0], [0.8, NAN], [0.8, 0.6]],
        [[10, 10], [10, NAN], [10, 10]],
    )
    return Results(
        tasks=("reach", "push"),
        strategy="replay",
        seed=3,
        protocol={"episodes": 10, "horizon": 200, "splits": ["validation", "test"]},
        matrix=matrix,
        metrics=compute_metrics(matrix),
        cost=Cost(
            WallTime(1.5, 20.25, 3.125, 25.0), 812.5, 64_000_000, 1_234_567, 400_000, 500_000
        ),
        experiences_done=2,
        intervals=compute_intervals(matrix),
        per_task=({"task": "reach", "steps": 500}, {"task": "push", "steps": 2000}),
        versions={"torch": "2.13.0"},
        videos=({"task": "push", "outcome": "failure", "episode": 4, "path": "videos/push.mp4"},),
        references={"single_task": {"success": [1.0, None], "episodes": 10}, "joint": None},
        pretraining=PretrainingSuccess.empty(("sweep", "soccer")).with_task(
            BEFORE, "sweep", successes=9, successes_at_end=3, episodes=10
        ),
    )


def test_results_come_back_as_they_were(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, results)
    assert read_results(path) == results
    assert [item.name for item in tmp_path.iterdir()] == ["results.json"]


def test_the_stable_part_has_the_keys_that_other_programs_read(
    results: Results, tmp_path: Path
) -> None:
    write_results(tmp_path / "results.json", results)
    data = json.loads((tmp_path / "results.json").read_text())
    assert data["format_version"] == 1
    assert data["tasks"] == ["reach", "push"]
    assert (data["strategy"], data["seed"]) == ("replay", 3)
    assert data["success"] == [[0.0, 0.1], [1.0, None], [0.9, 0.7]]
    assert data["success_at_end"] == [[0.0, 0.0], [0.8, None], [0.8, 0.6]]
    assert data["episodes"] == [[10, 10], [10, None], [10, 10]]
    assert data["protocol"] == results.protocol
    assert data["pretraining"] == {
        "tasks": ["sweep", "soccer"],
        "success": [[0.9, None], [None, None]],
        "success_at_end": [[0.3, None], [None, None]],
        "episodes": [[10, None], [None, None]],
    }
    assert set(data["metrics"]) == {
        "average_success",
        "forgetting",
        "backward_transfer",
        "forward_transfer",
        "learning_speed_transfer",
        "nbt",
        "auc",
        "normalised_forgetting",
        "retention",
    }
    assert data["metrics"]["auc"] is None
    assert data["cost"] == {
        "wall_time_s": {
            "collect": 1.5,
            "encode": 0.0,
            "adapt": 20.25,
            "evaluate": 3.125,
            "total": 25.0,
        },
        "peak_memory_mb": 812.5,
        "replay_bytes": 64_000_000,
        "demonstration_bytes": 1_234_567,
        "trainable_parameters": 400_000,
        "total_parameters": 500_000,
        "strategy_bytes": None,
    }


def test_the_stable_part_alone_is_enough_and_more_keys_do_no_harm(
    results: Results, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    write_results(path, results)
    data = json.loads(path.read_text())
    del data["cost"]["wall_time_s"]["encode"]
    del data["cost"]["strategy_bytes"]
    optional = ("intervals", "per_task", "versions", "finished", "experiences_done")
    for key in (*optional, "videos", "references"):
        del data[key]
    data["colour"] = "green"
    with pytest.raises(ResultsError, match="SHA-256 differs"):
        path.write_text(json.dumps(data))
        read_results(path)
    path.write_text(json.dumps({**data, "sha256": seal(data)}))
    bare = dataclasses.replace(
        results, intervals={}, per_task=(), versions={}, videos=(), references={}
    )
    assert read_results(path) == bare
    data["references"] = None
    path.write_text(json.dumps({**data, "sha256": seal(data)}))
    assert read_results(path) == bare


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["success"][2].__setitem__(0, 1.0),
        lambda data: data["metrics"].__setitem__("forgetting", 0.0),
        lambda data: data["cost"].__setitem__("replay_bytes", 0),
        lambda data: data.__setitem__("seed", 4),
        lambda data: data.pop("versions"),
        lambda data: data["pretraining"]["success"][0].__setitem__(0, 1.0),
        lambda data: data.__setitem__("sha256", "0" * 64),
    ],
)
def test_results_that_were_edited_by_hand_are_refused(
    results: Results, tmp_path: Path, change: Change
) -> None:
    path = tmp_path / "results.json"
    write_results(path, results)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match="changed after they were written") as caught:
        read_results(path)
    assert str(caught.value).startswith(str(path))


def replaced(**values: Any) -> Change:
    """Return a change of the file's content: other values for top-level keys."""
    return lambda data: data.update(values)


def replaced_in(section: str, **values: Any) -> Change:
    """Return a change of the file's content: other values for keys of a section."""
    return lambda data: data[section].update(values)


def removed(*keys: str) -> Change:
    """Return a change of the file's content: the key at the end of a path is gone."""

    def change(data: Any) -> None:
        for key in keys[:-1]:
            data = data[key]
        del data[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(format_version=2), "the format version is 2; .* reads up to 1"),
        (replaced(format_version="1"), 'format_version is "1"; it must be a whole number'),
        (removed("format_version"), "format_version is missing"),
        (removed("tasks"), "tasks is missing; it must be a list"),
        (replaced(tasks=[1, 2]), "an entry of tasks is 1; it must be a string"),
        (replaced(tasks=["reach"]), "2 columns for 1 tasks"),
        (removed("strategy"), "strategy is missing"),
        (replaced(seed=True), "seed is true; it must be a whole number"),
        (replaced(protocol=[]), "protocol is \\[\\]; it must be an object"),
        (removed("protocol", "horizon"), "protocol.horizon is missing"),
        (removed("success"), "success is missing"),
        (removed("success_at_end"), "success_at_end is missing"),
        (removed("episodes"), "episodes is missing"),
        (replaced(success=[[0.0, 0.1], [1.0, None]]), "success has shape \\(2, 2\\)"),
        (replaced(success=[[0.0, 0.1], [1.0], [0.9, 0.7]]), "success is no table"),
        (replaced(success=[[0.0, "0.1"], [1.0, None], [0.9, 0.7]]), "success is no table"),
        (replaced(success=[0.0, 0.1]), "a row of success is 0.0; it must be a list"),
        (replaced(success=[[0.0, 0.1], [1.0, None], [0.9, 7]]), "success holds 7"),
        (removed("metrics"), "metrics is missing"),
        (replaced(metrics={"nbt": "low"}), "metrics.nbt is 'low'; it must be a number or null"),
        (replaced(intervals={"nbt": [0.2, 0.1]}), "intervals.nbt is .* two numbers in order"),
        (replaced(intervals={"nbt": 3}), "intervals.nbt is 3"),
        (removed("cost"), "cost is missing"),
        (removed("cost", "replay_bytes"), "cost.replay_bytes is missing"),
        (removed("cost", "wall_time_s", "adapt"), "cost.wall_time_s.adapt is missing"),
        (replaced(experiences_done=3), "experiences_done is 3; it must be from 0 to 2"),
        (replaced(experiences_done=1), "finished is true after 1 of 2 experiences"),
        (replaced(per_task=[3]), "an entry of per_task is 3; it must be an object"),
        (replaced(videos={}), "videos is {}; it must be a list"),
        (replaced(videos=["push.mp4"]), "an entry of videos is .* it must be an object"),
        (replaced(references=[3]), "references is .3.; it must be an object"),
        (replaced(references={"joint": 0.9}), "references.joint is 0.9; it must be an object"),
        (replaced(pretraining=3), "pretraining is 3; it must be an object"),
        (replaced(pretraining={"tasks": [1]}), "an entry of pretraining.tasks is 1"),
        (removed("pretraining", "success"), "pretraining.success is missing"),
        (replaced_in("pretraining", success=[["a"]]), "pretraining.success is no table"),
        (replaced_in("pretraining", success=[[0.9, None]]), "pretraining.success has shape"),
        (replaced(seed=NAN), "it holds NaN; cells without a value must be null"),
    ],
)
def test_broken_results_are_refused_in_one_sentence(
    results: Results, tmp_path: Path, change: Change, message: str
) -> None:
    path = tmp_path / "results.json"
    write_results(path, results)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match=message) as caught:
        read_results(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1", b"\xff\xfe"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(ResultsError, match="is no JSON"):
        read_results(tmp_path / "results.json")


def test_a_list_is_no_results_and_a_folder_or_nothing_no_file(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(ResultsError, match="it must be an object"):
        read_results(tmp_path / "results.json")
    for path in (tmp_path, tmp_path / "nothing.json"):
        with pytest.raises(ResultsError, match="cannot be read"):
            read_results(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy_bytes", 0.5),
        ("strategy_bytes", -1),
        ("peak_memory_mb", -1.0),
        ("peak_memory_mb", NAN),
        ("replay_bytes", 2.5),
    ],
)
def test_amounts_that_cannot_be_are_refused(results: Results, field: str, value: float) -> None:
    with pytest.raises(ResultsError, match=f"cost.{field} is .* at least 0"):
        dataclasses.replace(results.cost, **{field: value})


def test_what_json_cannot_hold_is_refused_and_the_old_file_kept(
    results: Results, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    write_results(path, results)
    for broken in (NAN, object()):
        protocol = {**results.protocol, "noise": broken}
        with pytest.raises(ResultsError, match="JSON cannot"):
            write_results(path, dataclasses.replace(results, protocol=protocol))
    assert read_results(path) == results


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write no file of more than 100 bytes, as a full disk would.

    No fixture: pytest itself may write to a file between the test and a fixture's end.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def written(results: Results, tmp_path: Path) -> Path:
    """Return the path of results that were written before the disk was full."""
    write_results(tmp_path / "results.json", results)
    return tmp_path / "results.json"


def test_a_full_disk_leaves_the_old_file_whole(results: Results, written: Path) -> None:
    with pytest.raises(OSError, match="File too large"), full_disk():
        write_results(written, dataclasses.replace(results, seed=4))
    assert read_results(written) == results
    assert [item.name for item in written.parent.iterdir()] == ["results.json"]


def test_a_target_that_cannot_be_replaced_leaves_nothing_behind(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "results.json" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="irectory"):
        write_results(tmp_path / "results.json", results)
    assert [item.name for item in tmp_path.iterdir()] == ["results.json"]
    assert (tmp_path / "results.json" / "inside").is_dir()


def test_others_may_read_results_as_far_as_the_umask_allows(written: Path) -> None:
    plain = written.with_name("plain")
    plain.touch()
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
