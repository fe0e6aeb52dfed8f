"""The README's main command with tiny sizes: what it writes, repeats and goes on with."""

from __future__ import annotations

import base64
import gc
import json
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest
import torch
import yaml

from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained
from lam_agent.config import to_plain
from lam_agent.config.file import read_config
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import child_seed
from lam_agent.system import package_versions

TinyRun = tuple[Path, str]

pytestmark = pytest.mark.usefixtures("kept_threads")


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return content


def weights(folder: Path, checkpoint: str = "001_push") -> bytes:
    return (folder / "checkpoints" / checkpoint / "pretrained_model/model.safetensors").read_bytes()


def learning(folder: Path) -> list[Any]:
    return [row["learning"] for row in read(folder)["per_task"]]


# What a run writes -----------------------------------------------------------------------------


def test_results_have_the_stable_keys_and_every_cell(tiny_run: TinyRun) -> None:
    results = read(tiny_run[0])
    assert results["format_version"] == 1 and results["finished"] is True
    assert (results["tasks"], results["strategy"], results["seed"]) == (
        ["reach", "push"],
        "replay",
        0,
    )
    assert {"episodes": 2, "horizon": 24}.items() <= results["protocol"].items()
    for name in ("success", "success_at_end"):
        assert [len(row) for row in results[name]] == [2, 2, 2]
        assert all(0 <= value <= 1 for row in results[name] for value in row)
    assert results["episodes"] == [[2, 2]] * 3
    assert {
        "average_success",
        "forgetting",
        "backward_transfer",
        "forward_transfer",
        "learning_speed_transfer",
        "nbt",
        "auc",
        "retention",
    } <= set(results["metrics"])
    cost = results["cost"]
    seconds = cost["wall_time_s"]
    parts = [seconds[name] for name in ("collect", "adapt", "evaluate")]
    assert all(part > 0 for part in parts) and sum(parts) < seconds["total"]
    assert 0 < cost["replay_bytes"] <= 500_000
    assert cost["replay_bytes"] < cost["strategy_bytes"] < cost["replay_bytes"] + 10_000
    assert cost["demonstration_bytes"] > 2 * 4 * 6 * 2 * 32 * 32 * 3
    assert 0 < cost["trainable_parameters"] == cost["total_parameters"]
    assert 100 < cost["peak_memory_mb"] < 4096
    assert results["versions"] == package_versions()
    assert [[row["step"] for row in curve] for curve in learning(tiny_run[0])] == [[2, 4], [2, 4]]


def test_the_folder_holds_everything_and_no_half_written_file(tiny_run: TinyRun) -> None:
    folder, _ = tiny_run
    names = {path.name for path in folder.iterdir()}
    files = {"config.yaml", "environment.json", "metrics.jsonl", "results.json"}
    reports = {"report.md", "report.html"}
    assert names == files | reports | {"checkpoints", "videos"}
    assert "reach" in (folder / "report.md").read_text(encoding="utf-8")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "average success" in page and "videos/" in page and "data:image/png" in page
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    assert environment["versions"] == package_versions() and environment["threads"] == 1
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kinds = [row["kind"] for row in rows]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {"first_frame": 4, "training": 4, "validation": 4, "evaluation": 6}
    pictures = [base64.b64decode(row["png"]) for row in rows if row["kind"] == "first_frame"]
    assert all(iio.imread(picture).shape == (32, 32, 3) for picture in pictures)
    checkpoints = folder / "checkpoints"
    assert {path.name for path in checkpoints.iterdir()} == {"000_reach", "001_push", "last"}
    assert (checkpoints / "last").resolve() == (checkpoints / "001_push").resolve()
    assert not (checkpoints / "last").readlink().is_absolute()  # The folder can be moved.
    for name in ("000_reach", "001_push"):
        policy = {path.name for path in (checkpoints / name / "pretrained_model").iterdir()}
        assert policy == {
            "config.json",
            "model.safetensors",
            "parity.safetensors",
            "instructions.safetensors",
            "README.md",
        }
    # Only the last one is where a run goes on.
    assert not (checkpoints / "000_reach/training_state").exists()
    assert (checkpoints / "001_push/training_state/snapshot.safetensors").stat().st_size > 0
    assert weights(folder, "000_reach") != weights(folder, "001_push")


def test_the_config_is_resolved_and_reads_back(tiny_run: TinyRun) -> None:
    path = tiny_run[0] / "config.yaml"
    config = read_config(path)
    assert (config.demonstrations, config.eval.horizon, config.video) == (4, 24, 1)
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert written == {**to_plain(config), "output_dir": None}


def test_what_is_printed_says_what_was_done_and_where_things_are(tiny_run: TinyRun) -> None:
    folder, printed = tiny_run
    lines = printed.splitlines()
    for words in (
        "Adapting to reach → push with replay, seed 0",
        "Adapted to reach in 4 steps",
        "Test success after push: ",
        "average success",
        f"{folder / 'results.json'}",
        f"{folder / 'checkpoints/001_push/pretrained_model'}",
    ):
        assert words in printed
    for task in ("reach", "push"):  # Another test may have collected them.
        assert re.search(f"(Collected|Loaded) 4 demonstrations of {task} ", printed)
    assert "" not in lines[: lines.index(next(line for line in lines if "Test success a" in line))]


# imageio leaves the pipes of ffmpeg to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_videos_show_both_views_of_a_test_episode(tiny_run: TinyRun) -> None:
    files = sorted((tiny_run[0] / "videos").iterdir())
    suffix = ".mp4" if find_spec("imageio_ffmpeg") else ".gif"
    assert 2 <= len(files) <= 4
    for file in files:
        task, kind, episode = file.stem.rsplit("_", 2)
        assert task in ("reach", "push") and kind in ("success", "failure")
        assert episode in ("000", "001") and file.suffix == suffix
        frames = iio.imread(file)
        assert frames.shape == (24 / 4, 256, 512, 3)
        assert frames[0, :, :256].std() > 10 and frames[0, :, 256:].std() > 10
        assert (frames[0] != frames[-1]).any()  # The arm moves.
    gc.collect()


# Repeating and going on ------------------------------------------------------------------------


def test_the_config_repeats_the_run_in_another_folder(
    tiny_run: TinyRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, again = tiny_run[0], tmp_path / "again"
    arguments = ["--config", str(first / "config.yaml"), "--output-dir", str(again)]
    assert main(["run", *arguments, "--video", "0"]) == 0
    assert "Loaded 4 demonstrations of push" in capsys.readouterr().out
    for name in ("success", "success_at_end", "episodes", "metrics"):
        assert read(again)[name] == read(first)[name], name
    assert learning(again) == learning(first)
    for checkpoint in ("000_reach", "001_push"):
        assert weights(again, checkpoint) == weights(first, checkpoint)
    assert not (again / "videos").exists()


def test_a_finished_run_that_goes_on_changes_nothing(
    tiny_run: TinyRun, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--resume", str(copy)]) == 0
    assert "after 2 of 2 experiences" in capsys.readouterr().out
    for name in ("success", "metrics", "per_task", "finished"):
        assert read(copy)[name] == read(tiny_run[0])[name], name
    assert weights(copy) == weights(tiny_run[0])


def test_a_memory_that_is_too_small_is_refused_before_training(
    tiny_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, small = tmp_path / "run", ["--replay.memory-mb", "0.008"]  # A frame has 6 kB.
    assert main(["run", *tiny_arguments, *small, "--output-dir", str(folder)]) == 2
    assert "replay.memory-mb is 0.008; 2 tasks need at least 0.013." in capsys.readouterr().err
    assert not (folder / "checkpoints").exists()


def test_a_run_can_start_from_a_checkpoint(
    tiny_run: TinyRun, tiny_arguments: list[str], tmp_path: Path
) -> None:
    start, folder = tiny_run[0] / "checkpoints/000_reach", tmp_path / "from_reach"
    arguments = ["--policy.init", str(start), "--task-stream", "push", "--strategy", "naive"]
    assert main(["run", *tiny_arguments, *arguments, "--output-dir", str(folder)]) == 0
    results = read(folder)
    assert results["protocol"]["policy_init"] == "000_reach"
    # Row 0 is the policy that the other run had after reach, on the same test starts.
    assert results["success"][0] == read(tiny_run[0])["success"][1][1:]
    assert results["cost"]["replay_bytes"] == results["cost"]["strategy_bytes"] == 0


def test_a_run_can_start_from_encoders_alone(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    start, folder = tiny_run[0] / "checkpoints/000_reach", tmp_path / "from_encoders"
    arguments = ["--policy.init", str(start), "--policy.init-part", "encoders", "--adapt", "head"]
    arguments += ["--task-stream", "push", "--strategy", "naive", "--train.max-steps", "2"]
    assert main(["run", *tiny_arguments, *arguments, "--output-dir", str(folder)]) == 0
    (warning,) = (line for line in capsys.readouterr().out.splitlines() if "Warning" in line)
    assert "trunk is random and frozen" in check_sentence(warning)
    assert read(folder)["protocol"]["policy_init"] == "000_reach, encoders"
    (theirs, _), (ours, contract) = (load_pretrained(path) for path in (start, folder))
    assert contract.policy.init_part == "all"
    with torch.random.fork_rng():
        torch.manual_seed(child_seed(0, "weights"))
        random = VisualActionPolicy(contract.policy).state_dict()
    for name, value in ours.state_dict().items():
        if not name.startswith("head."):
            origin = theirs.state_dict() if name.startswith("encoders.") else random
            assert torch.equal(value, origin[name]), name


# Mistakes --------------------------------------------------------------------------------------


def test_an_existing_folder_is_refused_and_left_as_it_was(
    tiny_run: TinyRun,
    tiny_arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tiny_run[0].rglob("*") if path.is_file()}

    before = content()
    assert main(["run", *tiny_arguments, "--output-dir", str(tiny_run[0])]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert f"{tiny_run[0]} exists already" in words and "--resume" in words
    assert content() == before


@pytest.mark.parametrize(
    ("flag", "value", "part"),
    [
        ("--seed", "7", "cannot change seed from 0 to 7"),
        ("--strategy", "ewc", "cannot change strategy from 'replay' to 'ewc'"),
        ("--eval.episodes", "3", "cannot change eval"),
    ],
)
def test_going_on_with_other_settings_is_refused(
    tiny_run: TinyRun,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    flag: str,
    value: str,
    part: str,
) -> None:
    before = read(tiny_run[0])
    assert main(["run", "--resume", str(tiny_run[0]), flag, value]) == 2
    assert part in check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert read(tiny_run[0]) == before


def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence(
    tiny_arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    folder = tmp_path / "diverged"
    arguments = ["--task-stream", "reach", "--train.learning-rate", "1e30"]
    assert main(["run", *tiny_arguments, *arguments, "--output-dir", str(folder)]) == 2
    words = check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert "NaN" in words or "nan" in words
    assert read_config(folder / "config.yaml").train.learning_rate == 1e30


@pytest.mark.parametrize("damage", ["garbage", "missing"])
def test_a_run_whose_checkpoint_is_damaged_does_not_start_over(
    copy: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    damage: str,
) -> None:
    last = copy / "checkpoints/001_push"
    if damage == "missing":
        shutil.rmtree(last)
    else:
        (last / "training_state/snapshot.safetensors").write_bytes(b"damaged")
    before = (copy / "results.json").read_bytes()
    assert main(["run", "--resume", str(copy)]) == 2
    assert "001_push" in check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert (copy / "results.json").read_bytes() == before
