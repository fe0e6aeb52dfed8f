"""Demonstrations of one's own: how many are taken, where they come from, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lam_agent.__main__ import main
from lam_agent.config import CollectConfig, PolicyConfig, RunConfig, TrainConfig
from lam_agent.demonstrations.folder import (
    check_demonstrations,
    demonstration_source,
    read_demonstrations,
)
from lam_agent.demonstrations.load import load_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import ConfigError, LamAgentError
from lam_envs.randomisation.ranges import Randomisation

MakeEpisodes = Callable[..., EpisodeSet]
Check = Callable[[object], str]


@pytest.fixture
def folder(tmp_path: Path, make_episodes: MakeEpisodes) -> Path:
    """Three demonstrations of reach and of push."""
    for seed, task in enumerate(("reach", "push")):
        make_episodes(task, seed=seed).save(tmp_path / "own" / f"{task}.safetensors")
    return tmp_path / "own"


@pytest.fixture
def config(folder: Path) -> RunConfig:
    return RunConfig(demonstrations_path=folder, policy=PolicyConfig(image_size=32))


def assert_equal(found: EpisodeSet, expected: EpisodeSet) -> None:
    for name, tensor in expected._tensors().items():
        assert torch.equal(found._tensors()[name], tensor), name


def rewrite(path: Path, header: dict[str, Any] | None = None, **changes: torch.Tensor) -> None:
    """Write a file again with other entries in its header, and with other tensors."""
    with safe_open(path, framework="pt") as file:
        kept = json.loads(file.metadata()["lam_agent"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors = {**tensors, **{name.replace("__", "."): value for name, value in changes.items()}}
    save_file(tensors, path, metadata={"lam_agent": json.dumps({**kept, **(header or {})})})


# How many ---------------------------------------------------------------------------------------


def test_by_default_all_are_taken(config: RunConfig, folder: Path) -> None:
    check_demonstrations(config)
    for task in config.task_stream:
        episodes, is_there = load_demonstrations(task, config)
        assert is_there
        assert_equal(episodes, EpisodeSet.load(folder / f"{task}.safetensors"))


def test_the_first_ones_are_taken(config: RunConfig, folder: Path) -> None:
    episodes = read_demonstrations("push", replace(config, demonstrations=2))
    whole = EpisodeSet.load(folder / "push.safetensors")
    assert (episodes.num_episodes, episodes.num_frames) == (2, 3 + 2)
    assert torch.equal(episodes.actions, whole.actions[: 5 + 3])
    assert torch.equal(episodes.images["wrist"], whole.images["wrist"][: 3 + 2])
    assert_equal(whole.first(3), whole)
    chosen = replace(whole, num_failed=4)
    assert (chosen.first(3).num_failed, chosen.first(2).num_failed) == (4, 0)


def test_fewer_than_asked_for_are_refused(config: RunConfig, check_sentence: Check) -> None:
    with pytest.raises(LamAgentError, match=r"demonstrations is 4, but .* has 3") as caught:
        check_demonstrations(replace(config, demonstrations=4))
    check_sentence(caught.value)


def test_the_source_is_told_with_the_hash_of_each_file(config: RunConfig, folder: Path) -> None:
    source = demonstration_source(replace(config, demonstrations=2))
    assert source == {
        "source": "own",
        "folder": "own",
        "sha256": {
            task: hashlib.sha256((folder / f"{task}.safetensors").read_bytes()).hexdigest()
            for task in ("reach", "push")
        },
        "episodes": {"reach": 2, "push": 2},
    }
    assert json.loads(json.dumps(source)) == source
    for keep, words in ((False, "replaced"), (True, "kept")):
        config = RunConfig(collect=CollectConfig(keep_failures=keep))
        expected = {"source": "scripted teacher", "failures": words}
        assert demonstration_source(config) == expected


def test_a_file_is_read_once_for_its_source_and_again_when_it_changes(
    config: RunConfig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = demonstration_source(config)
    with monkeypatch.context() as patched:
        patched.delattr(EpisodeSet, "load")
        patched.delattr("lam_agent.demonstrations.folder.file_digest")
        assert demonstration_source(config) == first
        fewer = demonstration_source(replace(config, demonstrations=2, strategy="naive"))
        assert fewer["episodes"] == {"reach": 2, "push": 2}
    rewrite(folder / "push.safetensors", actions=torch.zeros(16, 4))
    second = demonstration_source(config)
    assert second["sha256"]["push"] != first["sha256"]["push"]
    assert second["sha256"]["reach"] == first["sha256"]["reach"]


# Refusals ---------------------------------------------------------------------------------------

Damage = Callable[[Path], object]


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda path: path.rename(path.with_name("pusch.safetensors")), "mean 'pusch.safetensors'"),
        (lambda path: path.unlink(), "it holds reach.safetensors;"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"episodes" * 99), "cannot be read"),
        (lambda path: save_file({"a": torch.zeros(1)}, path), "have format None"),
        (lambda path: rewrite(path, {"format_version": 2}), "have format 2; this version reads 1"),
        (lambda path: rewrite(path, {"task": "reach"}), "holds episodes of 'reach'"),
        (lambda path: rewrite(path, {"control_dt": 0.1}), "control_dt of 0.1 s; it must be 0.0125"),
        (lambda path: rewrite(path, {"control_dt": 0}), "control_dt of 'push' is 0; it must be"),
        (lambda path: rewrite(path, {"look_every": 3}), "look_step of 'push' must hold every step"),
        (lambda path: rewrite(path, {"look_every": "2"}), "look_every of 'push' is '2'"),
        (lambda path: rewrite(path, {"cameras": ["front"]}), "lack a part"),
        (lambda path: rewrite(path, {"has_tracked": False}), "no tracked positions"),
        (lambda path: rewrite(path, actions=torch.zeros(16, 3)), "actions of 'push' has shape"),
        (lambda path: rewrite(path, actions=torch.full((16, 4), torch.nan)), "NaN or infinity"),
        (lambda path: rewrite(path, tracked=torch.full((9, 6), torch.inf)), "NaN or infinity"),
        (lambda path: rewrite(path, actions=torch.full((16, 4), -1.5)), "has an action of 1.5"),
        (
            lambda path: rewrite(path, images__wrist=torch.zeros(9, 48, 64, 3, dtype=torch.uint8)),
            "pictures of wrist of 48x64 pixels; they must have 32x32",
        ),
        (lambda path: rewrite(path, images__wrist=torch.zeros(9, 32, 32, 3)), "images of wrist"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence_with_its_file(
    config: RunConfig, folder: Path, damage: Damage, part: str, check_sentence: Check
) -> None:
    damage(folder / "push.safetensors")
    with pytest.raises(LamAgentError) as caught:
        check_demonstrations(config)
    words = check_sentence(caught.value)
    assert part in words
    assert "push.safetensors" in words


def test_other_cameras_are_refused(
    config: RunConfig, folder: Path, make_episodes: MakeEpisodes
) -> None:
    episodes = make_episodes("push")
    images = {"front": episodes.images["front"], "top": episodes.images["wrist"]}
    replace(episodes, images=images).save(folder / "push.safetensors")
    with pytest.raises(LamAgentError, match="has the cameras front, top; they must be front, wr"):
        check_demonstrations(config)


def test_a_folder_that_is_not_there_is_refused(config: RunConfig, check_sentence: Check) -> None:
    with pytest.raises(LamAgentError, match="no/such are no folder; name a folder") as caught:
        check_demonstrations(replace(config, demonstrations_path=Path("no/such")))
    check_sentence(caught.value)


def test_without_the_auxiliary_loss_no_tracked_positions_are_needed(
    config: RunConfig, folder: Path
) -> None:
    rewrite(folder / "push.safetensors", {"has_tracked": False})
    check_demonstrations(replace(config, train=TrainConfig(auxiliary_weight=0)))


def test_demonstrations_that_are_there_are_not_randomised(
    config: RunConfig, check_sentence: Check
) -> None:
    with pytest.raises(ConfigError, match=r"--randomise\.\*") as caught:
        check_demonstrations(replace(config, randomise=Randomisation(light=0.5)))
    assert "are there already" in check_sentence(caught.value)


def test_a_run_refuses_before_it_makes_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "runs" / "a"
    arguments = ["--demonstrations-path", str(folder), "--output-dir", str(output)]
    assert main(["run", *arguments]) == 2
    assert "32x32 pixels; they must have 64x64" in capsys.readouterr().err
    assert not output.parent.exists()


# Making a folder --------------------------------------------------------------------------------


@pytest.mark.usefixtures("kept_threads")
def test_collect_makes_a_folder_that_a_run_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "new" / "own"
    sizes = ["--demonstrations", "2", "--image-size", "32", "--horizon", "4", "--threads", "1"]
    places = ["--collect.keep-failures", "--collect.cache-dir", str(tmp_path / "cache")]
    places += ["--output", str(own)]
    arguments = ["collect", "--tasks", "reach", *sizes, *places]
    assert main(arguments) == 0
    assert str(own / "reach.safetensors") in capsys.readouterr().out
    assert [file.name for file in own.iterdir()] == ["reach.safetensors"]
    config = RunConfig(
        task_stream=("reach",), demonstrations_path=own, policy=PolicyConfig(image_size=32)
    )
    check_demonstrations(config)
    (cached,) = (tmp_path / "cache").glob("*.safetensors")
    assert_equal(read_demonstrations("reach", config), EpisodeSet.load(cached))
    assert main(arguments) == 2
    assert "reach.safetensors exists already; remove it" in capsys.readouterr().err


@pytest.mark.usefixtures("kept_threads")
def test_a_run_adapts_to_them_and_logs_where_it_is_asked_to(
    tmp_path: Path, make_episodes: MakeEpisodes, tiny_arguments: list[str]
) -> None:
    own, output = tmp_path / "own", tmp_path / "run"
    make_episodes("reach", lengths=(24, 20, 18, 9)).save(own / "reach.safetensors")
    changes = {
        "task-stream": "reach",
        "demonstrations-path": str(own),
        "logger": "tensorboard",
        "output-dir": str(output),
    }
    words = [word for name, value in changes.items() for word in (f"--{name}", value)]
    assert main(["run", *tiny_arguments, *words]) == 0
    source = json.loads((output / "results.json").read_text())["protocol"]["demonstration_source"]
    digest = hashlib.sha256((own / "reach.safetensors").read_bytes()).hexdigest()
    assert (source["source"], source["sha256"]) == ("own", {"reach": digest})
    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"validation/success", "evaluation/success/0_reach"} <= set(tags["scalars"])
    assert set(tags["images"]) == {"first_frame/reach/front", "first_frame/reach/wrist"}
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    measured = [row["success"] for row in rows if row["kind"] == "validation"]
    assert [event.value for event in events.Scalars("validation/success")] == measured
