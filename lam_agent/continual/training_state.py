"""What a strategy carries from one experience to the next, as safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lam_agent.errors import CheckpointError
from lam_agent.files import replace_atomically


def _state_file(checkpoint: Path) -> Path:
    return checkpoint / "training_state" / "state.safetensors"


def save_training_state(checkpoint: Path, plugins: Sequence[Any]) -> None:
    """Write the tensors of all plugins that have some: replay buffer, importances, anchors."""
    state = {"format_version": torch.tensor([1])}
    for plugin in plugins:
        if hasattr(plugin, "state"):
            state.update(plugin.state())
    with replace_atomically(_state_file(checkpoint)) as temporary:
        save_file({name: value.contiguous().cpu() for name, value in state.items()}, temporary)


def load_training_state(checkpoint: Path, plugins: Sequence[Any], device: str) -> None:
    """Undo `save_training_state`.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = _state_file(checkpoint)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the training state {path} cannot be read ({error}); start the run anew."
        ) from error
    del state["format_version"]
    for plugin in plugins:
        if hasattr(plugin, "load_state"):
            kept = {k: v if k.startswith("replay.") else v.to(device) for k, v in state.items()}
            plugin.load_state(kept)
