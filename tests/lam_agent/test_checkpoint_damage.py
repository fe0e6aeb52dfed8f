"""Checkpoints that are damaged, edited, newer or inconsistent are refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lam_agent.checkpoint import (
    fitted_sizes,
    load_pretrained,
)
from lam_agent.checkpoint.contract import FORMAT_VERSION
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.system import peak_memory_mb

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]
SaveCheckpoint = Callable[..., None]

FILES = {
    "README.md",
    "config.json",
    "instructions.safetensors",
    "model.safetensors",
    "parity.safetensors",
}


def read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


def seal(folder: Path, config: dict[str, Any]) -> None:
    """Write a changed config.json with all hashes made right again."""
    for name in config["sha256"]:
        if (folder / name).exists():
            content = (folder / name).read_bytes()
            config["sha256"][name] = hashlib.sha256(content).hexdigest()
    config.pop("config_sha256", None)
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    config["config_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change model.safetensors and make the hashes right again."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    seal(folder, read_config(folder))


def refusal(folder: Path) -> str:
    """Return the one sentence with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as raised:
        load_pretrained(folder)
    message = str(raised.value)
    assert message.endswith(".") and "\n" not in message
    return message


# Damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FILES - {"config.json"}))
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_flipped_byte_is_found(checkpoint: Path, name: str, place: float) -> None:
    content = bytearray((checkpoint / name).read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (checkpoint / name).write_bytes(content)
    message = refusal(checkpoint)
    assert name in message and "SHA-256" in message


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_named(checkpoint: Path, name: str) -> None:
    (checkpoint / name).unlink()
    message = refusal(checkpoint)
    assert f"{name} is missing" in message


def test_an_edited_config_is_found(checkpoint: Path) -> None:
    config = read_config(checkpoint)
    config["tasks"]["push"] = "pull the puck"
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert "edited" in refusal(checkpoint)


def test_a_config_that_was_only_reformatted_loads(checkpoint: Path) -> None:
    text = json.dumps(read_config(checkpoint), sort_keys=True, indent=7)
    (checkpoint / "config.json").write_text(text)
    load_pretrained(checkpoint)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'{"format_version": 1,', "no JSON"),
        (b'{"format_version": NaN}', "no JSON"),
        (b"[1]", "an object"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "format_version is None"),
        (b"{}", "format_version is None"),
        (b'{"format_version": true}', "format_version is True"),
        (b'{"format_version": 0}', "format_version is 0"),
    ],
)
def test_a_config_that_is_none_is_refused(checkpoint: Path, content: bytes, word: str) -> None:
    (checkpoint / "config.json").write_bytes(content)
    assert word in refusal(checkpoint)


def test_a_newer_format_says_to_update(checkpoint: Path) -> None:
    config = {"format_version": FORMAT_VERSION + 1, "whatever": "comes then"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    message = refusal(checkpoint)
    assert "newer" in message and "update lam_agent" in message


@pytest.mark.parametrize(
    ("section", "key", "value", "word"),
    [
        ("policy", "heads", 3, "policy.width"),
        ("policy", "width", "32", "policy.width"),
        ("policy", "width", 32.5, "policy.width"),
        ("policy", "colour", 1, "colour"),
        ("policy", "image_size", 64, "observation"),
        ("policy", "chunk_length", 8, "chunk_length"),
        ("parity", "task", "pull", "parity.task"),
        ("parity", "tolerance_cpu", 2.0, "parity.tolerance_cpu"),
        ("success_row", "success", [0.5], "success_row"),
        ("success_row", "success", [1.5, 0.5, None], "[0, 1]"),
        ("sha256", "../other", "0", "../other"),
        ("policy", "image_size", 10**6, "policy.image-size"),
        ("protocol", "episodes", "many", "protocol.episodes is 'many'; it must be a whole number"),
        ("protocol", "horizon", 1.5, "protocol.horizon is 1.5"),
        ("protocol", "horizon", None, "protocol.horizon is None"),
        ("protocol", "threads", [2], "protocol.threads is [2]"),
        ("protocol", "threads", 0, "protocol.threads is 0"),
        ("protocol", "threads", True, "protocol.threads is True"),
        (None, "control_dt", 0, "control_dt"),
        (None, "tasks", {}, "tasks"),
        (None, "actions", [], "actions"),
        (None, "sha256", {}, "sha256"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    checkpoint: Path, section: str | None, key: str, value: object, word: str
) -> None:
    config = read_config(checkpoint)
    (config[section] if section else config)[key] = value
    seal(checkpoint, config)
    assert word in refusal(checkpoint)


@pytest.mark.parametrize("key", ["policy", "tasks", "observation", "parity", "versions"])
def test_a_config_that_lacks_a_part_is_refused(checkpoint: Path, key: str) -> None:
    config = read_config(checkpoint)
    del config[key]
    seal(checkpoint, config)
    assert key in refusal(checkpoint)


def test_weights_of_another_width_are_named(checkpoint: Path, make_policy: MakePolicy) -> None:
    config = read_config(checkpoint)
    config["policy"]["width"] = 64
    seal(checkpoint, config)
    message = refusal(checkpoint)
    assert "shape" in message and "32" in message and "64" in message
    first = next(name for name, t in make_policy().state_dict().items() if 32 in t.shape)
    assert first in message


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("width", 16_384, "shape"),
        ("width", 10**12, "policy.width is 1000000000000; it must be at most 16384."),
        ("depth", 128, "lacks the tensor"),
        ("encoder_depth", 128, "lacks the tensor"),
        ("keypoints", 16_384, "shape"),
        ("channels", 16_384, "shape"),
        ("overview", 16_384, "lacks the tensor"),
    ],
)
def test_sizes_that_the_weights_do_not_have_take_no_memory(
    checkpoint: Path, key: str, value: int, word: str
) -> None:
    config = read_config(checkpoint)
    config["policy"][key] = value
    seal(checkpoint, config)
    before = peak_memory_mb()
    message = refusal(checkpoint)
    assert word in message
    with pytest.raises(CheckpointError):
        fitted_sizes(PolicyConfig(init=str(checkpoint)))
    assert peak_memory_mb() < before + 300


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda tensors: tensors["positions"][0].fill_(math.nan), "NaN"),
        (lambda tensors: tensors["positions"][0].fill_(math.inf), "NaN"),
        (lambda tensors: tensors.pop("positions"), "lacks the tensor positions"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "the tensor extra"),
        (lambda tensors: tensors.update({"positions": tensors["positions"].half()}), "float16"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    checkpoint: Path, change: Callable[[dict[str, torch.Tensor]], object], word: str
) -> None:
    change_weights(checkpoint, change)
    assert word in refusal(checkpoint)


def test_weights_that_give_other_actions_are_refused(checkpoint: Path) -> None:
    change_weights(checkpoint, lambda tensors: tensors["positions"].mul_(2))
    assert "parity" in refusal(checkpoint)
    load_pretrained(checkpoint, check_parity=False)


def test_a_parity_sample_that_does_not_fit_is_refused(checkpoint: Path) -> None:
    sample = load_file(checkpoint / "parity.safetensors")
    for change, word in (
        ({"actions": sample["actions"][:, :3].contiguous()}, "shape"),
        ({"observation.front": sample["observation.front"][:2].contiguous()}, "as many"),
        ({"observation.proprioception": sample["observation.proprioception"].double()}, "float64"),
    ):
        save_file({**sample, **change}, checkpoint / "parity.safetensors")
        seal(checkpoint, read_config(checkpoint))
        assert word in refusal(checkpoint)
    save_file({"actions": sample["actions"]}, checkpoint / "parity.safetensors")
    seal(checkpoint, read_config(checkpoint))
    assert "parity" in refusal(checkpoint)


def test_a_checkpoint_of_an_earlier_version_has_no_vectors(checkpoint: Path) -> None:
    (checkpoint / "instructions.safetensors").unlink()
    config = read_config(checkpoint)
    del config["sha256"]["instructions.safetensors"]
    seal(checkpoint, config)
    assert load_pretrained(checkpoint)[1].tasks.keys() == {"reach", "push"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda vectors: vectors.pop("push"), "has vectors of reach; it must have"),
        (lambda vectors: vectors.update(pull=torch.zeros(32)), "vectors of pull, push, reach"),
        (lambda vectors: vectors.update(push=torch.zeros(33)), "shape (33,)"),
        (lambda vectors: vectors.update(push=vectors["push"].double()), "float64"),
        (lambda vectors: vectors["push"][3:4].add_(0.01), "vector of push is"),
        (lambda vectors: vectors["push"][3:4].fill_(math.nan), "vector of push is nan"),
        (lambda vectors: vectors.update(push=vectors["reach"].clone()), "vector of push is"),
    ],
)
def test_vectors_that_the_text_encoder_does_not_give_are_refused(
    checkpoint: Path, change: Callable[[dict[str, torch.Tensor]], object], word: str
) -> None:
    vectors = load_file(checkpoint / "instructions.safetensors")
    change(vectors)
    save_file(vectors, checkpoint / "instructions.safetensors")
    seal(checkpoint, read_config(checkpoint))
    message = refusal(checkpoint)
    assert word in message and "instructions.safetensors" in message
    load_pretrained(checkpoint, check_parity=False)


def test_an_instruction_that_was_changed_does_not_fit_its_vector(checkpoint: Path) -> None:
    config = read_config(checkpoint)
    config["tasks"]["reach"] = "wave"
    seal(checkpoint, config)
    assert "vector of reach" in refusal(checkpoint)


@pytest.mark.parametrize("device", ["cuda:99", "meta", "abacus"])
def test_a_device_that_is_not_there_is_refused(saved_checkpoint: Path, device: str) -> None:
    with pytest.raises(CheckpointError, match="cpu"):
        load_pretrained(saved_checkpoint, device)
