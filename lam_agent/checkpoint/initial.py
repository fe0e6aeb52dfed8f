"""The sizes and the control rate of a policy that starts from a checkpoint are the checkpoint's."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

from lam_agent.checkpoint.contract import MODEL_FILE, read_contract
from lam_agent.checkpoint.verification import check_files, read_tensors, resolve_checkpoint
from lam_agent.checkpoint.weights import check_sizes
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError

InitPart = Literal["all", "encoders"]
"""What is taken of a checkpoint."""

_FREE = ("init", "init_part", "execute_length", "packed")
"""Settings that weights do not decide; packs are added to weights that have none."""

_BEHIND_ENCODERS = ("chunk_length", "width", "depth", "heads", "adapter_size")
"""Settings that are free where only the camera encoders are taken: what lies behind them."""


def check_sizes_fit(
    ours: PolicyConfig,
    theirs: PolicyConfig,
    folder: Path | str,
    part: InitPart,
    *,
    are_defaults_free: bool = False,
) -> None:
    """Refuse weights of other sizes, and those that belong to tasks where all would train them.

    Adapters are added to weights that have none. Only `--strategy packnet` with the same adaptation
    mode may start from weights that belong to single tasks.

    Args:
        ours: Sizes of the policy to fill.
        theirs: Sizes of the checkpoint's policy.
        folder: The checkpoint, for the error.
        part: What is taken of it.
        are_defaults_free: Whether a size that is its default was not asked for, and will be theirs.

    Raises:
        CheckpointError: Naming the first setting that does not fit.
    """
    if part == "all" and theirs.packed not in ("none", ours.packed):
        raise CheckpointError(
            f"the checkpoint {folder} has weights that belong to single tasks (--strategy packnet "
            f"--adapt {theirs.packed}), which other training would change; go on with that "
            "strategy and mode, or start from other weights."
        )
    free = {*_FREE, *(_BEHIND_ENCODERS if part == "encoders" else ())}
    if theirs.adapter_size == 0:
        free.add("adapter_size")
    for item in fields(PolicyConfig):
        asked, found = getattr(ours, item.name), getattr(theirs, item.name)
        is_open = item.name in free or (are_defaults_free and asked == item.default)
        if asked == found or is_open:
            continue
        option = f"policy.{item.name.replace('_', '-')}"
        is_adapter = item.name == "adapter_size"
        hint = f" (--adaptation.bottleneck {found} with --adapt adapter)" if is_adapter else ""
        raise CheckpointError(
            f"{option} is {asked}, but it is {found} in the checkpoint {folder}; set --{option} "
            f"{found}{hint}, or start from other weights or random ones (--policy.init none)."
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
    asked = config.kept()
    check_sizes_fit(asked, theirs, folder, config.init_part, are_defaults_free=True)
    sizes: dict[str, Any] = {}
    for item in fields(PolicyConfig):
        ours, found = getattr(asked, item.name), getattr(theirs, item.name)
        if item.name not in (*_FREE, "adapter_size") and ours in (item.default, found):
            sizes[item.name] = found
    length = sizes.get("chunk_length", config.chunk_length)
    if config.execute_length > length:
        raise CheckpointError(
            f"policy.execute-length is {config.execute_length}, but the policy of the checkpoint "
            f"{folder} predicts {length} actions at a look; set --policy.execute-length {length} "
            "or less."
        )
    return replace(config, **sizes)


def check_rate(config: PolicyConfig, control_dt: float) -> None:
    """Refuse tasks of another control rate than that of the policy that a run starts from.

    Camera encoders alone do not depend on it.

    Args:
        config: The policy's configuration.
        control_dt: Seconds between two actions of the tasks.

    Raises:
        CheckpointError: There is no such checkpoint, or its policy has another rate.
    """
    if config.init == "none" or config.init_part == "encoders":
        return
    folder = resolve_checkpoint(Path(config.init))
    theirs = read_contract(folder).control_dt
    if not math.isclose(theirs, control_dt, rel_tol=1e-6):
        raise CheckpointError(
            f"the policy of the checkpoint {folder} acts every {theirs} s, but the tasks every "
            f"{control_dt} s; start from its encoders alone (--policy.init-part encoders) or from "
            "random weights (--policy.init none)."
        )
