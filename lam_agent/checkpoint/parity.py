"""The parity sample of a checkpoint as a file: observations, and the actions that they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lam_agent.checkpoint.contract import PARITY_FILE
from lam_agent.checkpoint.verification import read_tensors
from lam_agent.errors import CheckpointError

_PREFIX = "observation."
_ACTIONS = "actions"


def sample_tensors(
    observations: Mapping[str, torch.Tensor], actions: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return a sample as named tensors, for a file."""
    return {**{f"{_PREFIX}{key}": value for key, value in observations.items()}, _ACTIONS: actions}


def read_sample(folder: Path) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return the observations of a checkpoint's sample, and their actions, (B, L, 4).

    Raises:
        CheckpointError: It cannot be read, or lacks actions.
    """
    sample = read_tensors(folder / PARITY_FILE)
    if _ACTIONS not in sample:
        raise CheckpointError(f"{folder / PARITY_FILE} lacks actions; save the checkpoint again.")
    actions = sample.pop(_ACTIONS)
    return {key.removeprefix(_PREFIX): value for key, value in sample.items()}, actions
