"""The memory of a checkpoint: a few frames of each task that its policy can do.

They are kept as the frozen camera encoders see them, a byte for each feature, which takes a 34th of
what the pictures take. Who trains the policy on other tasks (`--strategy replay`) keeps the old
ones by them, and needs neither their demonstrations nor their simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lam_agent.checkpoint.contract import MEMORY_FILE, read_contract
from lam_agent.checkpoint.verification import check_files, read_tensors
from lam_agent.errors import CheckpointError
from lam_agent.policy.instruction import NUM_BUCKETS
from lam_agent.types import ACTION_NAMES, PROPRIOCEPTION_NAMES, TRACKED_NAMES

Memory = Mapping[str, Mapping[str, torch.Tensor]]
"""Task -> name -> tensor of M frames: `features` uint8 (M, S), in steps of `step` float16 (S,) from
`low` float16 (S,); `proprioception` float32 (M, 4); `tracked` float16 (M, 6), metres; `outputs`
int8 (M, L, 4), the policy's own actions in 64ths; and `bag` float32 (NUM_BUCKETS,)."""


def memory_tensors(memory: Memory) -> dict[str, torch.Tensor]:
    """Return a memory as named tensors, for a file."""
    return {
        f"{task}.{name}": tensor.contiguous()
        for task, tensors in memory.items()
        for name, tensor in tensors.items()
    }


def has_memory(folder: Path) -> bool:
    """Tell whether a checkpoint has a memory.

    Args:
        folder: The checkpoint, as `resolve_checkpoint` finds it.
    """
    return MEMORY_FILE in read_contract(folder).sha256


def load_memory(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Read the memory of a checkpoint, tasks in the order of their names.

    Args:
        folder: The checkpoint, as `resolve_checkpoint` finds it.

    Raises:
        CheckpointError: It is damaged, or does not fit the policy.
    """
    contract = read_contract(folder)
    if MEMORY_FILE not in contract.sha256:
        return {}
    path = folder / MEMORY_FILE
    check_files(folder, {MEMORY_FILE: contract.sha256[MEMORY_FILE]})
    memory: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in sorted(read_tensors(path).items()):
        task, _, name = key.rpartition(".")
        memory.setdefault(task, {})[name] = tensor
    if set(memory) != set(contract.remembered):
        raise CheckpointError(
            f"{path} has frames of {', '.join(memory) or 'no task'}; it must have those of "
            f"{', '.join(sorted(contract.remembered))}; make the memory anew by `lam-agent "
            "remember`."
        )
    for task, tensors in memory.items():
        _check(task, tensors, contract.chunk_length, path)
    return memory


def _check(task: str, tensors: Mapping[str, torch.Tensor], length: int, path: Path) -> None:
    """Refuse frames of another layout, without features, or with NaN."""
    features = tensors.get("features", torch.empty(0))
    count = len(features)
    size = tuple(features.shape[1:2])
    rows: dict[str, tuple[int, ...]] = {
        "features": (count, *size),
        "low": size,
        "step": size,
        "proprioception": (count, len(PROPRIOCEPTION_NAMES)),
        "tracked": (count, len(TRACKED_NAMES)),
        "outputs": (count, length, len(ACTION_NAMES)),
        "bag": (NUM_BUCKETS,),
    }
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if count < 1 or found != rows:
        raise CheckpointError(
            f"{path} has frames of {task} of the shapes {found}; they must be {rows} with one "
            "frame or more; make the memory anew by `lam-agent remember`."
        )
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name} of {task} in {path} holds NaN or infinity; make the memory anew by "
                "`lam-agent remember`."
            )
