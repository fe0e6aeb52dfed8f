"""Files of a checkpoint: where it is, whether each is whole, and what JSON can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lam_agent.checkpoint.contract import (
    CARD_FILE,
    CONFIG_FILE,
    INSTRUCTIONS_FILE,
    MEMORY_FILE,
    MODEL_FILE,
    PARITY_FILE,
)
from lam_agent.checkpoint.shipped import shipped_weights
from lam_agent.errors import CheckpointError
from lam_agent.files import file_digest, known_digest
from lam_envs.words import nearest

_FILES = (CONFIG_FILE, MODEL_FILE, PARITY_FILE, INSTRUCTIONS_FILE, MEMORY_FILE, CARD_FILE)


def resolve_checkpoint(path: Path | str) -> Path:
    """Find the checkpoint that a path means.

    Args:
        path: A checkpoint folder (`pretrained_model`), a folder `checkpoints/NNN_task` or
            `checkpoints/last` that holds one, a run folder, whose last one is taken, or the name of
            weights that ship with the package, where there is no folder of that name.

    Raises:
        CheckpointError: There is none.
    """
    if not isinstance(path, Path | str):
        raise CheckpointError(f"the checkpoint is {path!r}; it must be a path or a name.")
    path = Path(path).expanduser()
    shipped = shipped_weights()
    if not path.exists() and str(path) in shipped:
        return shipped[str(path)]
    stream = sorted((path / "checkpoints").glob("[0-9]*"), reverse=True)
    for folder in (path, path / "last", path / "checkpoints" / "last", *stream):
        for candidate in (folder, folder / "pretrained_model"):
            if _is_checkpoint(candidate):
                return candidate
    problem = "holds no checkpoint" if path.is_dir() else "is no folder"
    raise CheckpointError(
        f"{path} {problem}{nearest(str(path), shipped)}; name a run folder, one of its "
        "checkpoints/NNN_task folders, a pretrained_model folder, or weights that ship with the "
        f"package ({', '.join(shipped) or 'none'})."
    )


def _is_checkpoint(folder: Path) -> bool:
    """Tell whether a folder holds a checkpoint, whole or damaged."""
    return any((folder / name).is_file() for name in (CONFIG_FILE, MODEL_FILE))


def check_replaceable(folder: Path) -> None:
    """Refuse to replace what is neither a checkpoint nor empty, because replacing deletes it.

    Raises:
        CheckpointError: The path is taken by something else, or something else lies there, too.
    """
    if folder.is_symlink():
        raise CheckpointError(f"{folder} is a link; name the folder itself, {folder.resolve()}.")
    if not folder.exists():
        return
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not folder.is_dir() or (names and MODEL_FILE not in names):
        raise CheckpointError(
            f"{folder} exists and holds no checkpoint; name another folder, because saving would "
            "replace it."
        )
    others = [name for name in names if name not in _FILES]
    if others:
        raise CheckpointError(
            f"{folder} holds {others[0]!r} beside a checkpoint; move it or name another folder, "
            "because saving would replace the folder."
        )


def weights_digest(init: str) -> str:
    """Return what tells initial weights apart: the SHA-256 of their file, or `none`."""
    return init if init == "none" else known_digest(resolve_checkpoint(init) / MODEL_FILE)


def check_files(folder: Path, sha256: Mapping[str, str]) -> None:
    """Refuse a folder in which a file is missing or has another SHA-256.

    Raises:
        CheckpointError: Naming the first such file.
    """
    for name, expected in sha256.items():
        try:
            found = file_digest(folder / name)
        except OSError as error:
            raise CheckpointError(
                f"{folder / name} is missing or cannot be read ({error.strerror}); copy the whole "
                "folder again."
            ) from error
        if found != expected:
            raise CheckpointError(
                f"{folder / name} has another SHA-256 than {CONFIG_FILE} says, so it is damaged or "
                "was changed; copy the checkpoint again."
            )


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file onto the CPU.

    Raises:
        CheckpointError: It cannot be read.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); copy the checkpoint again."
        ) from error


def plain_json(values: Mapping[str, object], name: str) -> dict[str, Any]:
    """Return a copy of values as JSON gives them back.

    Raises:
        CheckpointError: JSON cannot hold them.
    """
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
        return copy
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint's {name} holds what JSON cannot ({error}); remove it."
        ) from error
