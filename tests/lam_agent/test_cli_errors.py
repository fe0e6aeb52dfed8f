"""Mistakes of a user: one sentence, exit status 2, no traceback, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lam_agent.__main__ import main
from lam_envs.tasks.registry import make_task

Refuse = Callable[..., str]

pytestmark = pytest.mark.usefixtures("kept_threads")


@pytest.fixture
def refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> Refuse:
    """Return the sentence in which a command is refused, in a folder that stays as it was."""

    def words_of(*arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        assert main(arguments) == 2
        captured = capsys.readouterr()
        prefix = "lam-agent: error: "
        assert captured.out == "" and captured.err.startswith(prefix)
        assert sorted(tmp_path.rglob("*")) == before
        return check_sentence(captured.err.removeprefix(prefix).removesuffix("\n"))

    return words_of


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("--task-stream reach,puhs", "'puhs' (did you mean 'push'?); the tasks are reach, push"),
        ("--strategy replya", "'replya' (did you mean 'replay'?); the strategies are naive,"),
        ("--task-stream ,", "task-stream is ''; it must be one task or more."),
        ("--task-stream=", "task-stream is ''; it must be one task or more."),
        ("--task-stream push,reach,push", "names 'push' more than once; remove it or add"),
        ("--demonstrations -1", "demonstrations is -1; it must be at least 1."),
        ("--demonstrations=0", "demonstrations is 0; it must be at least 1."),
        ("--seed -1", "seed is -1; it must be at least 0."),
        ("--threads 0", "threads is 0; it must be between 1 and 1024."),
        ("--eval.episodes 0", "eval.episodes is 0; it must be at least 1."),
        ("--eval.horizon -5", "eval.horizon is -5; it must be at least 1."),
        ("--replay.memory-mb -5", "replay.memory-mb is -5.0; it must be greater than 0."),
        ("--train.learning-rate nan", "train.learning-rate is nan; it must be a finite number."),
        ("--train.learning-rate -1e-3", "train.learning-rate is -0.001"),
        ("--policy.image-size 50", "policy.image-size is 50; it must be a multiple of 4"),
        ("--threads 5000", "threads is 5000; it must be between 1 and 1024."),
        ("--workers 2000", "workers is 2000; it must be between 0 and 1024."),
        ("--train.batch-size 9999999999", "train.batch-size is 9999999999; it must be at most"),
        ("--eval.horizon 99999999999999999999", "it must be at most 1000000000."),
        ("--policy.chunk-length 100000", "policy.chunk-length is 100000; it must be at most"),
        ("--policy.init none --policy.image-size 100000", "policy.image-size is 100000"),
        ("--randomise.light 2", "randomise.light is 2.0; it must be between 0 and 1."),
        ("--randomise.table-height-m 1e30", "randomise.table-height-m is 1e+30; it must be"),
        ("--policy.init no/such/folder", "no/such/folder is no folder"),
        ("--config no/such.yaml", "no/such.yaml cannot be read (No such file or directory)"),
        ("--resume no/such/run", "no/such/run is no run folder: it has no config.yaml"),
        ("--config a.yaml --resume b", "--config and --resume cannot go together"),
        ("--device gpu", "device is 'gpu'; it must be auto, cpu, cuda or cuda:NUMBER."),
        ("--device cuda:x", "device is 'cuda:x'; it must be"),
        ("--device cuda:99", "device is 'cuda:99', but torch finds"),
    ],
)
def test_run_refuses(refused: Refuse, arguments: str, part: str) -> None:
    assert part in refused("run", *arguments.split())


def test_run_refuses_cuda_where_there_is_none(refused: Refuse, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("This machine has a CUDA device.")
    assert "use --device cpu." in refused("run", "--device", "cuda", "--output-dir", "runs/a")


def test_run_refuses_another_control_rate_than_that_of_its_first_weights(
    refused: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(make_task("reach")), "control_dt", 0.025)
    words = refused("run", "--task-stream", "reach", "--output-dir", "runs/a")
    assert "acts every 0.0125 s, but the tasks every 0.025 s" in words


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("replay: {memroy_mb: 3}", "no setting replay.memroy_mb (did you mean 'memory_mb'?)"),
        ("demonstrations: lots", "demonstrations is 'lots'"),
        ("task_stream: [reach, reach]", "--allow-repeats"),
        ("- reach", "it must hold names and values."),
        ("[" * 3000, "is no YAML"),
        ("seed: " + "9" * 5000, "is no YAML"),
    ],
)
def test_run_refuses_a_config(refused: Refuse, tmp_path: Path, text: str, part: str) -> None:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    assert part in refused("run", "--config", "config.yaml")


def test_flags_are_checked_with_the_config_that_they_change(
    refused: Refuse, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("policy: {chunk_length: 4}", encoding="utf-8")
    words = refused("run", "--config", "config.yaml", "--policy.execute-length", "5")
    assert words.startswith(
        "policy.execute-length is 5; it must be at most policy.chunk-length (4)"
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            "rnu",
            "no command 'rnu' (did you mean 'run'?); the commands are run, benchmark, pretrain, "
            "remember, collect",
        ),
        ("--task-stream reach", "no command '--task-stream'"),
        ("eval no/such/folder", "no/such/folder is no folder"),
        ("eval . --episodes 0", "episodes is 0; it must be between 1 and 1000000."),
        ("eval . --tasks reahc", "(did you mean 'reach'?)"),
        ("eval .", ". holds no checkpoint"),
        ("info no/such/folder", "no/such/folder is no folder"),
        (
            "eval . --horizon 99999999999",
            "horizon is 99999999999; it must be between 1 and 1000000",
        ),
        ("report x --output /dev/full", "/dev/full does not end in .html"),
        ("report x --output results.json", "results.json does not end in .html"),
        ("collect --tasks drawer-oepn", "(did you mean 'drawer-open'?)"),
        ("collect --tasks reach --demonstrations 0", "demonstrations is 0"),
        ("collect --tasks reach --horizon 0", "horizon is 0; it must be at least 1."),
        ("collect --tasks ,", "tasks is ''; it must be one task or more."),
        ("collect --tasks reach --device cuda:99", "device is 'cuda:99', but torch finds"),
        ("eval . --tasks ,", "tasks is ''; it must be one task or more."),
        ("train-teacher --output x --tasks ,", "tasks is ''; it must be one task or more."),
        ("pretrain --threads 100000", "threads is 100000; it must be between 1 and 1024."),
        ("pretrain --import no_such_module", "no_such_module"),
        ("export-minari x --import no_such_module", "no_such_module"),
    ],
)
def test_other_commands_refuse(refused: Refuse, arguments: str, part: str) -> None:
    assert part in refused(*arguments.split())


def test_collect_refuses_a_cache_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check_sentence: Callable[[object], str]
) -> None:
    (tmp_path / "file").touch()
    sizes = "--demonstrations 1 --image-size 32 --horizon 4 --threads 1 --collect.keep-failures"
    words = ["collect", "--tasks", "push", *sizes.split(), "--collect.cache-dir"]
    assert main([*words, str(tmp_path / "file" / "cache")]) == 2
    error = check_sentence(capsys.readouterr().err.strip())
    assert "file/cache cannot be written (Not a directory); choose another" in error


# Checkpoints -----------------------------------------------------------------------------------


def test_a_checkpoint_with_a_wrong_hash_is_refused(refused: Refuse, checkpoint: Path) -> None:
    model = checkpoint / "model.safetensors"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    for command in (("eval",), ("info",), ("run", "--policy.init")):
        assert "has another SHA-256 than config.json says" in refused(*command, str(checkpoint))


def test_a_checkpoint_of_a_newer_format_is_refused(refused: Refuse, checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "format_version": 99}), encoding="utf-8")
    assert "format_version is 99, which is newer" in refused("eval", str(checkpoint))


def test_a_checkpoint_of_other_shapes_is_refused(refused: Refuse, checkpoint: Path) -> None:
    words = refused("run", "--policy.init", str(checkpoint), "--policy.image-size", "96")
    assert "policy.image-size is 96, but it is 32 in the checkpoint" in words
    words = refused("run", "--policy.init", str(checkpoint), "--policy.execute-length", "8")
    assert "execute-length is 8, but the policy of the checkpoint" in words
