"""A checkpoint again, with another memory; everything else of it stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lam_agent.checkpoint.contract import CARD_FILE, Contract
from lam_agent.checkpoint.memory import Memory
from lam_agent.checkpoint.model_card import card_story
from lam_agent.checkpoint.parity import read_sample
from lam_agent.checkpoint.pretrained import save_pretrained
from lam_agent.checkpoint.verification import check_replaceable
from lam_agent.errors import CheckpointError
from lam_agent.policy.policy import VisualActionPolicy


def check_output(source: Path, output: Path) -> None:
    """Refuse to write where anything is but the checkpoint itself, which is replaced.

    Args:
        source: The checkpoint's folder.
        output: Where to write.

    Raises:
        CheckpointError: The path is taken by something else.
    """
    check_replaceable(output)
    if output.exists() and not output.samefile(source):
        raise CheckpointError(
            f"{output} exists already and is not the checkpoint {source}; name a new folder, or "
            "that checkpoint itself, which is then replaced."
        )


def save_with_memory(
    source: Path,
    output: Path,
    policy: VisualActionPolicy,
    contract: Contract,
    memory: Memory,
    instructions: Mapping[str, str],
) -> None:
    """Write a checkpoint with a memory; the folder is whole or, if that fails, as it was.

    Args:
        source: The checkpoint's folder.
        output: Where to write; it may be the same.
        policy: Its policy.
        contract: Its contract.
        memory: Frames of tasks that the policy can do.
        instructions: Instructions of these tasks.

    Raises:
        CheckpointError: It cannot be written, or something else is there.
    """
    check_output(source, output)
    observations, _ = read_sample(source)
    save_pretrained(
        output,
        policy,
        tasks=contract.tasks,
        success_row=asdict(contract.success_row),
        protocol=contract.protocol,
        seeds=contract.seeds,
        parity_observations=observations,
        parity_task=contract.parity.task,
        story=card_story((source / CARD_FILE).read_text(encoding="utf-8")),
        memory=memory,
        remembered=instructions,
    )
