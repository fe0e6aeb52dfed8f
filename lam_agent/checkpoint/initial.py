"""The sizes of a policy that starts from a checkpoint are the checkpoint's."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lam_agent.checkpoint.contract import MODEL_FILE, read_contract
from lam_agent.checkpoint.verification import check_files, read_tensors, resolve_checkpoint
from lam_agent.checkpoint.weights import check_sizes
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError

_FREE = ("init", "init_part", "execute_length", "adapter_size", "packed")
"""Settings that weights do not decide: adapters and packs are added to weights that have none."""

BEHIND_ENCODERS = (
    *("chunk_length", "execute_length", "width", "depth", "heads", "adapter_size", "packed"),
)
"""Settings that are free where only the camera encoders are taken: what lies behind them."""


def check_packs(ours: PolicyConfig, theirs: PolicyConfig, folder: Path | str) -> None:
    """Refuse weights that belong to tasks where they would be trained for all tasks.

    Args:
        ours: Sizes of the policy to fill.
        theirs: Sizes of the checkpoint's policy.
        folder: The checkpoint, for the error.

    Raises:
        CheckpointError: Only `--strategy packnet` with the same adaptation mode may start there.
    """
    if theirs.packed not in ("none", ours.packed):
        raise CheckpointError(
            f"the checkpoint {folder} has weights that belong to single tasks (--strategy packnet "
            f"--adapt {theirs.packed}), which other training would change; go on with that "
            "strategy and mode, or start from other weights."
        )


def fitted_sizes(config: PolicyConfig) -> PolicyConfig:
    """Return a policy's configuration with the sizes of the weights that it starts from.

    A size that is not its default was asked for, and must be that of the weights. Where only the
    camera encoders are taken, those of the rest may differ.

    Raises:
        CheckpointError: There are no such weights, or they have another size than was asked for.
    """
    if config.init == "none":
        return config
    folder = resolve_checkpoint(Path(config.init))
    contract, file = read_contract(folder), folder / MODEL_FILE
    check_files(folder, {MODEL_FILE: contract.sha256[MODEL_FILE]})
    theirs = contract.policy
    check_sizes(theirs, read_tensors(file), str(file))  # A policy of these sizes is made soon.
    if config.init_part == "all":
        check_packs(config, theirs, folder)
    asked = config.kept()
    sizes: dict[str, Any] = {}
    for item in fields(PolicyConfig):
        if item.name in _FREE:
            continue
        ours, found = getattr(asked, item.name), getattr(theirs, item.name)
        if ours in (item.default, found):
            sizes[item.name] = found
        elif config.init_part == "all" or item.name not in BEHIND_ENCODERS:
            option = f"policy.{item.name.replace('_', '-')}"
            raise CheckpointError(
                f"{option} is {ours}, but it is {found} in the checkpoint {folder}; leave "
                f"--{option} away, or start from other weights or random ones "
                "(--policy.init none)."
            )
    length = sizes.get("chunk_length", config.chunk_length)
    if config.execute_length > length:
        raise CheckpointError(
            f"policy.execute-length is {config.execute_length}, but the policy of the checkpoint "
            f"{folder} predicts {length} actions at a look; set --policy.execute-length {length} "
            "or less."
        )
    return replace(config, **sizes)
