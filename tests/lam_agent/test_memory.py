"""The memory of a checkpoint: written, read, refused; and a run that keeps tasks by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lam_agent.__main__ import main
from lam_agent.checkpoint import has_memory, load_memory, load_pretrained
from lam_agent.checkpoint.contract import CARD_FILE, MEMORY_FILE
from lam_agent.checkpoint.model_card import card_story
from lam_agent.continual.batches import Frames
from lam_agent.continual.remembered import from_memory, to_memory
from lam_agent.controller import Controller
from lam_agent.errors import CheckpointError
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.results import read_results

MakePolicy = Callable[..., VisualActionPolicy]
Memory = dict[str, dict[str, torch.Tensor]]
STORY = "## How they were made\n\nBy hand.\n\n## What they have seen\n\nNothing.\n"


@pytest.fixture(scope="module")
def memory(make_policy: MakePolicy, make_frames: Callable[..., Frames]) -> Memory:
    """Frames of two tasks, one of which has a dot in its name."""
    generator = torch.Generator().manual_seed(0)
    return {
        task: to_memory(make_policy(), make_frames(5, seed=seed), 4, generator)
        for seed, task in enumerate(("my.task", "sweep"))
    }


@pytest.fixture
def remembering(
    tmp_path: Path, save_checkpoint: Callable[..., None], make_policy: MakePolicy, memory: Memory
) -> Path:
    """A checkpoint with this memory."""
    folder = tmp_path / "pretrained_model"
    save_checkpoint(folder, make_policy(), memory=memory, remembered=TEXTS, story=STORY)
    return folder


TEXTS = {"my.task": "do mine", "sweep": "sweep the cube"}


# A checkpoint's --------------------------------------------------------------------------------


def test_a_memory_comes_back_as_it_was(remembering: Path, memory: Memory) -> None:
    load_pretrained(remembering)
    found = load_memory(remembering)
    assert has_memory(remembering) and list(found) == ["my.task", "sweep"]
    for task, tensors in memory.items():
        assert found[task].keys() == tensors.keys()
        assert all(torch.equal(found[task][name], tensor) for name, tensor in tensors.items())
    assert MEMORY_FILE in (remembering / CARD_FILE).read_text(encoding="utf-8")


def test_what_it_remembers_is_known(remembering: Path) -> None:
    controller = Controller.load(remembering, task="sweep")
    assert controller.instruction == "sweep the cube" and controller.is_instruction_seen
    assert Controller.load(remembering, instruction="Do mine!").task == "my.task"
    assert list(controller.contract.tasks) == ["reach", "push"]
    assert "my.task, sweep." in (remembering / CARD_FILE).read_text(encoding="utf-8")


def test_a_checkpoint_without_one_has_none(saved_checkpoint: Path) -> None:
    assert not has_memory(saved_checkpoint) and load_memory(saved_checkpoint) == {}
    card = (saved_checkpoint / CARD_FILE).read_text(encoding="utf-8")
    assert MEMORY_FILE not in card and card_story(card) == ""


def test_a_card_tells_again_how_the_weights_were_made(remembering: Path) -> None:
    assert card_story((remembering / CARD_FILE).read_text(encoding="utf-8")) == STORY


def test_a_damaged_memory_is_refused(
    remembering: Path, check_sentence: Callable[[object], str]
) -> None:
    content = bytearray((remembering / MEMORY_FILE).read_bytes())
    content[-1] ^= 1
    (remembering / MEMORY_FILE).write_bytes(content)
    for read in (load_memory, load_pretrained):
        with pytest.raises(CheckpointError, match="SHA-256") as raised:
            read(remembering)
        check_sentence(raised.value)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda m: m["sweep"].pop("outputs"), "of the shapes"),
        (lambda m: m["sweep"].update(outputs=m["sweep"]["outputs"][:, :2]), "of the shapes"),
        (lambda m: m["sweep"].update(features=m["sweep"]["features"][:0]), "one frame or more"),
        (lambda m: m["sweep"]["low"].fill_(torch.nan), "NaN or infinity"),
    ],
)
def test_a_memory_that_cannot_be_is_refused(
    tmp_path: Path,
    save_checkpoint: Callable[..., None],
    make_policy: MakePolicy,
    memory: Memory,
    check_sentence: Callable[[object], str],
    change: Callable[[Memory], Any],
    part: str,
) -> None:
    broken = {
        task: {name: tensor.clone() for name, tensor in tensors.items()}
        for task, tensors in memory.items()
    }
    change(broken)
    save_checkpoint(tmp_path / "broken", make_policy(), memory=broken, remembered=TEXTS)
    with pytest.raises(CheckpointError, match=part) as raised:
        load_memory(tmp_path / "broken")
    assert "sweep" in check_sentence(raised.value)


# A run's ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(tiny_run: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last checkpoint of a run of reach and push, given a memory by the command."""
    folder = tmp_path_factory.mktemp("first") / "remembering"
    threads = torch.get_num_threads()
    command = ["remember", str(tiny_run[0]), "--output", str(folder), "--threads", "1"]
    command += ["--memory.episodes", "2", "--memory.frames", "6", "--tasks", "reach"]
    assert main([*command, "--collect.keep-failures"]) == 0
    torch.set_num_threads(threads)
    return folder


@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_is_remembered_of_other_tasks_stays(
    remembering: Path,
    memory: Memory,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cache_dir: Path,
    kept_threads: None,
    is_replaced: bool,
) -> None:
    folder = remembering if is_replaced else tmp_path / "new"
    command = ["remember", str(remembering), "--output", str(folder), "--tasks", "sweep,reach"]
    command += ["--memory.episodes", "1", "--memory.frames", "3", "--collect.keep-failures"]
    assert main([*command, "--threads", "1", "--collect.cache-dir", str(cache_dir)]) == 0
    assert "frames of 2 tasks, 3 of each at most, and what it had of my.task (" in (
        capsys.readouterr().out
    )
    found = load_memory(folder)
    assert {task: len(tensors["features"]) for task, tensors in found.items()} == {
        "my.task": 4,
        "reach": 3,
        "sweep": 3,
    }
    assert all(torch.equal(found["my.task"][k], tensor) for k, tensor in memory["my.task"].items())
    assert load_pretrained(folder)[1].remembered["my.task"] == "do mine"


@pytest.fixture(scope="module")
def words(tiny_arguments: list[str], first: Path) -> list[str]:
    """Arguments of a run that starts there and learns another task with frozen encoders."""
    arguments = ["run", *tiny_arguments, "--policy.init", str(first)]
    changes = {"task-stream": "window-close", "pretraining.measured": "reach,push"}
    return [*arguments, *(word for k, v in changes.items() for word in (f"--{k}", v))]


@pytest.fixture(scope="module")
def second(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That run."""
    folder = tmp_path_factory.mktemp("second") / "run"
    threads = torch.get_num_threads()
    assert main([*words, "--output-dir", str(folder)]) == 0
    torch.set_num_threads(threads)
    return folder


@pytest.mark.slow
def test_the_command_changes_nothing_but_the_memory(
    tiny_run: tuple[Path, str], first: Path
) -> None:
    before = tiny_run[0] / "checkpoints" / "last" / "pretrained_model"
    assert not has_memory(before)  # Its encoders were trained.
    assert {task: len(item["features"]) for task, item in load_memory(first).items()} == {
        "reach": 6
    }
    for name in ("model.safetensors", "instructions.safetensors"):
        ours, theirs = (load_file(folder / name) for folder in (first, before))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs | ours)
    old, new = (json.loads((folder / "config.json").read_text()) for folder in (before, first))
    assert new.pop("remembered") == {"reach": new["tasks"]["reach"]} and old.pop("remembered") == {}
    for data in (old, new):
        del data["sha256"], data["config_sha256"]
    assert new == old


@pytest.mark.slow
def test_a_run_keeps_what_its_weights_remember_and_hands_it_on(first: Path, second: Path) -> None:
    state = load_file(second / "checkpoints/000_window-close/training_state/snapshot.safetensors")
    kept, memory = state["replay.before.outputs/reach"], from_memory(load_memory(first)["reach"])
    assert memory.outputs is not None
    assert torch.equal(kept, memory.outputs)  # What it did then, not what it does now.
    handed = load_memory(second / "checkpoints/last/pretrained_model")
    assert list(handed) == ["reach", "window-close"]
    for name, tensor in from_memory(handed["reach"]).tensors().items():
        assert torch.equal(tensor, memory.tensors()[name]), name
    assert 1 <= len(handed["window-close"]["features"]) <= 60


@pytest.mark.slow
def test_a_run_measures_tasks_of_pretraining_before_and_after(second: Path) -> None:
    results = read_results(second / "results.json")
    found = results.pretraining
    assert found.tasks == ("reach", "push") and found.episodes.tolist() == [[2, 2], [2, 2]]
    assert results.metrics["pretraining_before"] == found.success[0].mean()
    log = (second / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, log) if row["kind"] == "pretraining"]
    assert [(row["row"], row["task"]) for row in rows] == [
        (0, "reach"),
        (0, "push"),
        (1, "reach"),
        (1, "push"),
    ]
    for name in ("report.md", "report.html"):
        assert "forgetting of pretraining" in (second / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_such_a_run_goes_on_and_grows_as_if_it_had_not_stopped(
    words: list[str],
    second: Path,
    tmp_path: Path,
    assert_same_run: Callable[..., None],
    kept_threads: None,
) -> None:
    longer = [*words, "--task-stream", "window-close,push", "--workers", "1"]
    whole, grown = tmp_path / "whole", tmp_path / "grown"
    assert main([*longer, "--output-dir", str(whole)]) == 0
    assert main([*words, "--workers", "1", "--output-dir", str(grown)]) == 0
    results = read_results(grown / "results.json")
    assert results.pretraining == read_results(second / "results.json").pretraining
    assert main(["run", "--resume", str(grown), "--task-stream", "window-close,push"]) == 0
    assert_same_run(grown, whole, in_order=False)


@pytest.mark.slow
def test_demonstrations_do_what_a_memory_does(
    words: list[str], tmp_path: Path, kept_threads: None
) -> None:
    folder = tmp_path / "run"
    asked = ["--pretraining.demonstrations", "2", "--adapt", "full"]
    assert main([*words, *asked, "--output-dir", str(folder)]) == 0
    state = load_file(folder / "checkpoints/000_window-close/training_state/snapshot.safetensors")
    names = {
        key.rpartition("/")[2] for key in state if key.startswith("replay.before.images.front")
    }
    assert names == {"reach", "push"}  # Those that the checkpoint names; pictures, not features.
    assert not has_memory(folder / "checkpoints/last/pretrained_model")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("--pretraining.measured soccer", "which {first} did not learn"),
        ("--pretraining.measured puhs", "there is no task 'puhs' (did you mean 'push'?)"),
        ("--policy.init none --pretraining.measured reach", "these are random"),
        ("--pretraining.fraction 0", "pretraining.fraction is 0.0"),
        ("--replay.batch-fraction 0.8", "add up to 1.05"),
        ("--pretraining.demonstrations -1", "pretraining.demonstrations is -1"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_work_starts(
    words: list[str],
    first: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    arguments: str,
    part: str,
) -> None:
    folder = tmp_path / "run"
    assert main([*words, *arguments.split(), "--output-dir", str(folder)]) == 2
    assert part.format(first=first) in check_sentence(capsys.readouterr().err.strip())
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("{first} --output {taken}", "holds no checkpoint"),
        ("{first} --output {other}", "exists already and is not the checkpoint {first}"),
        ("{first} --output {free} --memory.frames 0", "at least 1 to remember"),
        ("{first} --output {free} --tasks nothing", "there is no task 'nothing'"),
        ("{other} --output {free}", "no task 'my.task', which the checkpoint learned; name"),
        ("lam-tinny --output {free}", "did you mean 'lam-tiny'"),
    ],
)
def test_the_command_refuses(
    first: Path,
    remembering: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    arguments: str,
    part: str,
) -> None:
    before = (remembering / "config.json").read_bytes()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    names = {"first": first, "other": remembering, "taken": taken, "free": tmp_path / "free"}
    assert main(["remember", *arguments.format(**names).split()]) == 2
    assert part.format(first=first) in check_sentence(capsys.readouterr().err.strip())
    assert not (tmp_path / "free").exists() and (taken / "thesis.txt").read_text() == "mine"
    assert (remembering / "config.json").read_bytes() == before
