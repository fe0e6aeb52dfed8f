"""A snapshot: where a run stands in the stream, in one sealed safetensors file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from lam_agent.errors import CheckpointError
from lam_agent.files import replace_atomically, save_tensors

FORMAT_VERSION = 1
"""Newest format of a snapshot that this version writes and reads."""


@dataclass(frozen=True)
class Snapshot:
    """Where a run stands.

    Attributes:
        position: Experience in the stream, from 0.
        is_trained: Whether its training is over; else it goes on after the gradient steps that
            `numbers` tells.
        log_bytes: Length of `metrics.jsonl` at that moment.
        numbers: Clock, learning curve and the like, as JSON holds them.
        seconds: Wall time so far by phase.
        tensors: Named tensors.
    """

    position: int
    is_trained: bool
    log_bytes: int
    numbers: dict[str, Any]
    seconds: dict[str, float]
    tensors: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)


def snapshot_file(checkpoint: Path) -> Path:
    """Return where the snapshot of an experience lies in its checkpoint folder."""
    return checkpoint / "training_state" / "snapshot.safetensors"


def save_snapshot(checkpoint: Path, snapshot: Snapshot) -> None:
    """Write a snapshot; the file is whole or, if that fails, as it was."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in snapshot.tensors.items()}
    told = [item.name for item in fields(Snapshot) if item.name != "tensors"]
    state = json.dumps({name: getattr(snapshot, name) for name in told})
    metadata = {
        "format_version": str(FORMAT_VERSION),
        "state": state,
        "sha256": _digest(state, tensors),
    }
    with replace_atomically(snapshot_file(checkpoint)) as temporary:
        save_tensors(temporary, tensors, metadata)


def remove_snapshot(checkpoint: Path) -> None:
    """Remove the snapshot of an experience, if there is one."""
    file = snapshot_file(checkpoint)
    file.unlink(missing_ok=True)
    with suppress(OSError):  # There is no folder, or it holds what is not ours.
        file.parent.rmdir()


def load_snapshot(checkpoint: Path, *, is_needed: bool = False) -> Snapshot | None:
    """Return the snapshot of an experience; None where there is none.

    Args:
        checkpoint: The checkpoint folder of the experience.
        is_needed: Whether the run cannot go on without it.

    Raises:
        CheckpointError: The file is damaged or of a newer format.
    """
    path = snapshot_file(checkpoint)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        version = int(metadata["format_version"])
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format version {version}; this lam_agent reads up to "
                f"{FORMAT_VERSION}, so install a newer one."
            )
        if metadata["sha256"] != _digest(metadata["state"], tensors):
            raise ValueError("its SHA-256 differs")
        return Snapshot(**json.loads(metadata["state"]), tensors=tensors)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        remedy = (
            "copy it again, or start the run anew, because the next experience begins there"
            if is_needed
            else "remove this file to repeat the experience from its start"
        )
        raise CheckpointError(
            f"the training state {path} is damaged ({error}); {remedy}."
        ) from error


def _digest(state: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a snapshot's content."""
    digest = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        content: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(content)
    return digest.hexdigest()
