"""`lam-agent pretrain`: from episodes to weights that a run starts from."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained
from lam_agent.commands.pretrain import command as run_pretrain
from lam_agent.commands.pretrain import parse
from lam_agent.config import MemoryConfig
from lam_agent.errors import CheckpointError, ConfigError, Interrupted, RunFolderError
from lam_agent.files import file_digest, locked_folder
from lam_agent.interrupts import Interrupts
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain import pretraining
from lam_agent.pretrain.config import CloningConfig, PretrainConfig, SelfSupervisedConfig
from lam_agent.pretrain.corpus import Corpus
from lam_agent.pretrain.folder import PretrainFolder
from lam_agent.pretrain.pretraining import Pretraining
from lam_agent.pretrain.processes import Processes
from lam_agent.pretrain.validation import spread
from lam_agent.pretrain.weights import command
from lam_agent.seeding import child_seed
from lam_envs.tasks.registry import make_task

MakeConfig = Callable[..., PretrainConfig]


def pretrain(config: PretrainConfig, interrupts: Interrupts | None = None) -> Path:
    """Run pretraining in this process and return the folder of the weights."""
    folder = PretrainFolder(config)
    folder.begin(config)
    Pretraining(
        config,
        folder,
        device=torch.device("cpu"),
        processes=Processes(),
        console=Console(quiet=True),
        interrupts=interrupts or Interrupts(),
    ).run()
    return folder.weights


class StopsAt(Interrupts):
    """A signal comes when it was looked for a number of times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def is_pending(self) -> bool:
        self.looks -= 1
        if self.looks == 0:
            self._pending = 2
        return self._pending is not None


def logged(config: PretrainConfig) -> list[dict[str, Any]]:
    """Return the rows of the log without what depends on the clock."""
    lines = (config.output / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [{key: row[key] for key in row if key != "steps_per_second"} for row in rows]


def weights_of(config: PretrainConfig) -> Path:
    return config.output / "pretrained_model"


@pytest.fixture(scope="module")
def whole(
    pretrain_config: PretrainConfig, tmp_path_factory: pytest.TempPathFactory
) -> PretrainConfig:
    """A run from start to end."""
    config = replace(pretrain_config, output=tmp_path_factory.mktemp("whole") / "run")
    pretrain(config)
    return config


def test_the_command_on_the_card_has_the_settings(pretrain_config: PretrainConfig) -> None:
    again = parse(command(pretrain_config).split()[2:])
    free = {name: getattr(pretrain_config, name) for name in ("output", "threads")}
    collect = replace(again.collect, cache_dir=pretrain_config.collect.cache_dir)
    assert replace(again, **free, collect=collect) == pretrain_config
    assert command(PretrainConfig()) == "lam-agent pretrain"


def test_weights_load_and_tell_how_they_were_made(whole: PretrainConfig) -> None:
    policy, contract = load_pretrained(weights_of(whole))
    assert list(contract.tasks) == list(whole.tasks)
    assert policy.config.encoder_depth == whole.policy.encoder_depth
    card = (weights_of(whole) / "README.md").read_text(encoding="utf-8")
    assert "## How they were made" in card
    assert f"\n{command(whole)}\n" in card
    assert "of 2 tasks, seed 0" in card
    rows = [json.loads(line) for line in (whole.output / "metrics.jsonl").read_text().splitlines()]
    kinds = {row["kind"] for row in rows}
    assert kinds == {"self-supervision", "cloning", "validation"}


@pytest.mark.parametrize("looks", [3, 7], ids=["in the first stage", "in the second"])
def test_a_stopped_run_goes_on_to_the_same_weights(
    whole: PretrainConfig, make_config: MakeConfig, looks: int
) -> None:
    config = make_config()
    with pytest.raises(Interrupted):
        pretrain(config, StopsAt(looks))
    log = config.output / "metrics.jsonl"
    with log.open("a", encoding="utf-8") as file:
        file.write('{"kind": "cloning", "step": 2}\n{"kind": "clo')  # As a killed run leaves it.
    resumed = pretrain(replace(config, resume=True))
    assert logged(config) == logged(whole)
    expected, found = (load_file(p / "model.safetensors") for p in (weights_of(whole), resumed))
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


@pytest.mark.parametrize(
    ("stop", "status", "words"),
    [
        (lambda: signal.raise_signal(signal.SIGTERM), 143, "stopped by SIGTERM, what was done is"),
        (lambda: signal.raise_signal(signal.SIGINT), 130, "stopped by SIGINT, what was done is"),
        (lambda: os.open("/dev/null/x", os.O_RDONLY), 2, "error: Not a directory (/dev/null/x);"),
    ],
    ids=["SIGTERM", "Ctrl-C", "the disk"],
)
def test_a_stopped_run_says_the_command_that_goes_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    stop: Callable[[], None],
    status: int,
    words: str,
) -> None:
    def stops(*arguments: object) -> None:
        stop()
        raise AssertionError("It was not stopped.")

    monkeypatch.setattr(pretraining, "load_corpus", stops)
    arguments = ["--output", str(tmp_path / "my weights"), "--seed", "3", "--device", "cpu"]
    assert main(["pretrain", *arguments]) == status
    sentence = check_sentence(capsys.readouterr().err.strip())
    assert words in sentence
    again = shlex.split(sentence.split("`")[1])
    assert again == ["lam-agent", "pretrain", *arguments, "--resume"]
    PretrainFolder(parse(again[2:]))  # It goes on, or this refuses it.
    assert main(again[1:]) == status
    assert f"`{shlex.join(again)}`" in capsys.readouterr().err


def test_processes_that_torchrun_started_say_so() -> None:
    assert Processes(1, 2, 1).starter == "torchrun … -m lam_agent.pretrain"


def test_pretraining_goes_on_from_other_weights(
    whole: PretrainConfig, make_config: MakeConfig
) -> None:
    policy = replace(whole.policy, init=str(weights_of(whole)))
    still = replace(whole.optimiser, learning_rate=1e-12, weight_decay=0.0)
    without = SelfSupervisedConfig(steps=0)
    made = pretrain(make_config(policy=policy, optimiser=still, self_supervised=without))
    first, second = (load_file(p / "model.safetensors") for p in (weights_of(whole), made))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-6)
    card = (made / "README.md").read_text(encoding="utf-8")
    assert file_digest(weights_of(whole) / "model.safetensors") in card
    assert "collect (2 tasks from the cache)" in card  # `whole` has filled it.
    assert card.index("## What they began with") < card.index(f"\n{command(whole)}\n")


@pytest.mark.parametrize(
    ("slow", "init", "words"),
    [
        (("reach",), "none", "mixes control rates"),
        (("reach", "push"), "lam-tiny", "every 0.0125 s"),
    ],
)
def test_other_control_rates_are_refused_before_anything_is_written(
    slow: tuple[str, ...],
    init: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for task in slow:
        monkeypatch.setattr(type(make_task(task)), "control_dt", 0.025)
    arguments = ["--tasks", "reach,push", "--output", str(tmp_path / "run"), "--policy.init", init]
    assert main(["pretrain", *arguments]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_weights_of_other_sizes_are_refused_before_anything_is_written(
    whole: PretrainConfig, tmp_path: Path, check_sentence: Callable[[object], str]
) -> None:
    arguments = ("--output", str(tmp_path / "new"), "--policy.init", str(weights_of(whole)))
    with pytest.raises(CheckpointError) as caught:
        run_pretrain(arguments)
    assert "policy.channels is 48" in check_sentence(caught.value)
    assert not (tmp_path / "new").exists()


def test_the_first_stage_alone_leaves_the_head_as_it_was(make_config: MakeConfig) -> None:
    config = make_config(cloning=CloningConfig(steps=0))
    found = load_file(pretrain(config) / "model.safetensors")
    torch.manual_seed(child_seed(config.seed, "pretrain-weights"))
    start = VisualActionPolicy(config.policy).state_dict()
    assert torch.equal(found["head.1.weight"], start["head.1.weight"])
    assert not torch.equal(found["encoders.front.stem.weight"], start["encoders.front.stem.weight"])


def test_episodes_are_simulated_where_the_policy_is(make_config: MakeConfig) -> None:
    assert replace(make_config(), device="cuda:1").demonstrations().device == "cuda:1"


def test_two_processes_do_not_pretrain_in_one_folder(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    arguments = ["--output", str(tmp_path / "run"), "--device", "cpu"]
    folder = PretrainFolder(parse(arguments))
    folder.begin(parse(arguments))
    with locked_folder(folder.path):
        assert main(["pretrain", *arguments, "--resume"]) == 2
    words = check_sentence(capsys.readouterr().err.strip())
    assert "another process is working on" in words


def test_a_folder_that_is_not_empty_is_not_overwritten(
    make_config: MakeConfig, check_sentence: Callable[[object], str]
) -> None:
    config = make_config()
    config.output.mkdir()
    (config.output / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunFolderError) as caught:
        PretrainFolder(config)
    assert "--resume" in check_sentence(caught.value)
    with pytest.raises(RunFolderError) as caught:
        PretrainFolder(replace(config, resume=True))
    assert "no config.yaml" in check_sentence(caught.value)


def test_resume_with_other_settings_is_refused(
    make_config: MakeConfig, check_sentence: Callable[[object], str]
) -> None:
    config = make_config()
    PretrainFolder(config).begin(config)
    PretrainFolder(replace(config, resume=True, threads=2))
    # What was trained can be had without a memory that cannot be made.
    PretrainFolder(replace(config, resume=True, memory=MemoryConfig(frames=0)))
    with pytest.raises(ConfigError) as caught:
        PretrainFolder(replace(config, resume=True, seed=5))
    assert "--resume cannot change seed from 0 to 5" in check_sentence(caught.value)


@pytest.mark.parametrize("text", ["", "- 1", "[1, 2"])
def test_resume_with_damaged_settings_is_refused(
    make_config: MakeConfig, check_sentence: Callable[[object], str], text: str
) -> None:
    config = make_config()
    PretrainFolder(config).begin(config)
    (config.output / "config.yaml").write_text(text)
    with pytest.raises(RunFolderError) as caught:
        PretrainFolder(replace(config, resume=True))
    assert "config.yaml is damaged" in check_sentence(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PretrainConfig(tasks=("reach",), episodes=0),
        lambda: SelfSupervisedConfig(mask_share=1.0),
        lambda: SelfSupervisedConfig(masked=float("nan")),
        lambda: CloningConfig(steps=-1),
    ],
)
def test_wrong_settings_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


def test_validation_tasks_are_spread_over_all() -> None:
    tasks = [str(i) for i in range(32)]
    assert spread(tasks, 3) == ("0", "16", "31")
    assert spread(tasks[:2], 8) == ("0", "1")


@pytest.mark.slow
def test_two_processes_train_one_policy(make_config: MakeConfig, corpus: Corpus) -> None:
    config = make_config()
    assert corpus.num_looks  # The episodes are in the cache.
    arguments = ["--output", str(config.output), "--tasks", ",".join(config.tasks)]
    arguments += ["--episodes", str(config.episodes), "--threads", "1"]
    arguments += ["--collect.cache-dir", str(config.collect.cache_dir)]
    arguments += ["--collect.look-every", "8", "--collect.play-fraction", "0.5"]
    arguments += ["--collect.noise-std", "0.2", "--collect.noisy-fraction", "0.5"]
    for section in ("self_supervised", "cloning"):
        name = section.replace("_", "-")
        arguments += [f"--{name}.steps", str(getattr(config, section).steps)]
    arguments += ["--cloning.validation-tasks", "1", "--cloning.validation-episodes", "1"]
    arguments += ["--optimiser.batch-size", "8", "--optimiser.save-every", "2"]
    arguments += ["--optimiser.log-every", "1"]
    for name in (
        "image_size",
        "width",
        "heads",
        "depth",
        "encoder_depth",
        "keypoints",
        "channels",
        "chunk_length",
        "execute_length",
    ):
        arguments += [f"--policy.{name.replace('_', '-')}", str(getattr(config.policy, name))]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    torchrun += ["--standalone", "-m", "lam_agent.pretrain"]  # On any port that is free.
    done = subprocess.run(
        [*torchrun, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    policy, _ = load_pretrained(config.output / "pretrained_model")
    assert all(bool(p.isfinite().all()) for p in policy.parameters())
    rows = [json.loads(line) for line in (config.output / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if row["kind"] == "cloning"]
    assert steps == list(range(1, config.cloning.steps + 1)), "only the first process writes"
