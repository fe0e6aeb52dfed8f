"""The sizes of a policy that starts from a checkpoint are the checkpoint's."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lam_agent.checkpoint.contract import read_contract
from lam_agent.checkpoint.verification import resolve_checkpoint
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError

_FREE = ("init", "execute_length", "adapter_size")
"""Settings that weights do not decide: adapters are added to weights that have none."""


def fitted_sizes(config: PolicyConfig) -> PolicyConfig:
    """Return a policy's configuration with the sizes of the weights that it starts from.

    A size that is not its default was asked for, and must be that of the weights.

    Raises:
        CheckpointError: There are no such weights, or they have another size than was asked for.
    """
    if config.init == "none":
        return config
    folder = resolve_checkpoint(Path(config.init))
    theirs = read_contract(folder).policy
    sizes: dict[str, Any] = {}
    for item in fields(PolicyConfig):
        if item.name in _FREE:
            continue
        ours, found = getattr(config.kept(), item.name), getattr(theirs, item.name)
        if ours not in (item.default, found):
            option = f"policy.{item.name.replace('_', '-')}"
            raise CheckpointError(
                f"{option} is {ours}, but it is {found} in the checkpoint {folder}; leave "
                f"--{option} away, or start from other weights."
            )
        sizes[item.name] = found
    if config.execute_length > theirs.chunk_length:
        raise CheckpointError(
            f"policy.execute-length is {config.execute_length}, but the policy of the checkpoint "
            f"{folder} predicts {theirs.chunk_length} actions at a look; set "
            f"--policy.execute-length {theirs.chunk_length} or less."
        )
    return replace(config, **sizes)
