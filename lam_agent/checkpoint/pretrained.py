"""Checkpoints: a policy as a folder that proves itself whole on load.

    pretrained_model/{config.json, model.safetensors, parity.safetensors,
                      instructions.safetensors, README.md, [memory.safetensors]}

`config.json` is the controller contract (`lam_agent.checkpoint.contract`). Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from lam_agent import __version__
from lam_agent.checkpoint.contract import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT_VERSION,
    INSTRUCTIONS_FILE,
    MEMORY_FILE,
    MODEL_FILE,
    PARITY_FILE,
    Contract,
    Parity,
    read_contract,
)
from lam_agent.checkpoint.initial import InitPart, check_sizes_fit
from lam_agent.checkpoint.instructions import check_vectors, instruction_vectors
from lam_agent.checkpoint.interface import describe_actions, describe_observation
from lam_agent.checkpoint.memory import Memory, memory_tensors
from lam_agent.checkpoint.model_card import render_card
from lam_agent.checkpoint.parity import read_sample, sample_tensors
from lam_agent.checkpoint.success_row import SuccessRow
from lam_agent.checkpoint.verification import (
    check_files,
    check_replaceable,
    plain_json,
    read_tensors,
    resolve_checkpoint,
)
from lam_agent.checkpoint.weights import (
    actions_for,
    check_parity_sample,
    find_device,
    policy_from_tensors,
    weights_of,
)
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError
from lam_agent.files import file_digest, folder_atomically, save_tensors
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.system import package_versions
from lam_envs.errors import LamEnvsError
from lam_envs.tasks.registry import make_task

__all__ = ["load_initial_weights", "load_pretrained", "save_pretrained"]


def save_pretrained(
    folder: Path,
    policy: VisualActionPolicy,
    *,
    tasks: Mapping[str, str],
    success_row: Mapping[str, object],
    protocol: Mapping[str, object],
    seeds: Mapping[str, object],
    parity_observations: Mapping[str, torch.Tensor],
    parity_task: str,
    story: str = "",
    memory: Memory | None = None,
    remembered: Mapping[str, str] | None = None,
) -> None:
    """Write a checkpoint; the folder is whole or, if that fails, as it was.

    Args:
        folder: Where to write; an existing checkpoint there is replaced.
        policy: The policy, on any device.
        tasks: Task -> instruction, for all tasks learned so far.
        success_row: `task`, `success`, `success_at_end`, `episodes`: lists with an entry for each
            column; None or NaN where not evaluated.
        protocol: How success was measured, as JSON holds it.
        seeds: Seeds by purpose, as JSON holds them.
        parity_observations: A few observations: `front`, `wrist`: uint8 (B, H, W, 3);
            `proprioception`: float32 (B, 4).
        parity_task: Task of these observations.
        story: How the weights were made, for the model card, as Markdown.
        memory: Frames of tasks that the policy can do, by which it keeps them when it learns on.
        remembered: Task -> instruction, for the tasks of the memory that are not among `tasks`.

    Raises:
        CheckpointError: The policy holds NaN, an argument does not fit, the folder holds other
            things than a checkpoint, or writing fails.
    """
    check_replaceable(folder)
    weights = weights_of(policy)
    copy = policy_from_tensors(policy.config, weights, "the policy")
    contract = _describe(policy.config, tasks, success_row, protocol, seeds, parity_task)
    if memory:
        known = {**(remembered or {}), **tasks}
        contract = replace(
            contract,
            sha256={**contract.sha256, MEMORY_FILE: ""},
            remembered={task: known[task] for task in sorted(memory)},
        )
    observations = {
        key: parity_observations[key].detach().cpu().contiguous()
        for key in contract.observation
        if key in parity_observations
    }
    # The sample is what the file's weights give on a CPU; the policy itself must agree.
    actions = actions_for(copy, observations, tasks[parity_task])
    check_parity_sample(policy, observations, actions, contract)
    try:
        with folder_atomically(folder) as temporary:
            save_tensors(temporary / MODEL_FILE, weights)
            save_tensors(temporary / PARITY_FILE, sample_tensors(observations, actions))
            save_tensors(temporary / INSTRUCTIONS_FILE, instruction_vectors(copy, tasks))
            if memory:
                save_tensors(temporary / MEMORY_FILE, memory_tensors(memory))
            (temporary / CARD_FILE).write_text(render_card(contract, story), encoding="utf-8")
            sha256 = {name: file_digest(temporary / name) for name in contract.sha256}
            text = replace(contract, sha256=sha256).to_text()
            (temporary / CONFIG_FILE).write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} cannot be written ({error}); make room for it or name "
            "another folder."
        ) from error


def load_pretrained(
    folder: Path | str, device: torch.device | str = "cpu", *, check_parity: bool = True
) -> tuple[VisualActionPolicy, Contract]:
    """Read a checkpoint and prove that it is whole and gives the actions that it gave.

    The parity sample's actions may differ by 1e-5 on a CPU in float32 and by 2e-2 on a CUDA device;
    `config.json` holds both numbers. The cached vectors of the instructions must be those that the
    text encoder gives; checkpoints of earlier versions have none.

    Args:
        folder: A checkpoint, or what `resolve_checkpoint` finds one in.
        device: Where the policy goes: `cpu`, `cuda` or `cuda:1`.
        check_parity: Whether to replay the parity sample and the instructions.

    Returns:
        The policy, ready to act, and its contract.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, of a newer format or of other shapes.
    """
    folder = resolve_checkpoint(folder)
    target = find_device(device)
    contract = read_contract(folder)
    check_files(folder, contract.sha256)
    policy = policy_from_tensors(
        contract.policy, read_tensors(folder / MODEL_FILE), str(folder / MODEL_FILE)
    )
    if check_parity and INSTRUCTIONS_FILE in contract.sha256:
        cached = folder / INSTRUCTIONS_FILE
        check_vectors(policy, read_tensors(cached), contract, str(cached))
    policy = policy.to(target)
    if check_parity:
        observations, actions = read_sample(folder)
        check_parity_sample(policy, observations, actions, contract)
    return policy.eval(), contract


def load_initial_weights(
    policy: VisualActionPolicy, folder: Path | str, part: InitPart = "all"
) -> Contract:
    """Start a policy from a checkpoint's weights (`--policy.init PATH`).

    A policy with adapters may start from one without; its own adapters change nothing at first.

    Args:
        policy: The policy to fill, on any device.
        folder: A checkpoint, or what `resolve_checkpoint` finds one in.
        part: `all`, or `encoders`: the camera encoders with the normaliser that they see through;
            the rest stays as it is, and may have other sizes.

    Returns:
        The contract of the checkpoint.

    Raises:
        CheckpointError: The checkpoint does not load, or its policy has other sizes.
    """
    pretrained, contract = load_pretrained(folder)
    check_sizes_fit(policy.config.kept(), contract.policy, folder, part)
    prefixes = ("encoders.", "normaliser.") if part == "encoders" else ("",)
    taken = {k: v for k, v in pretrained.state_dict().items() if k.startswith(prefixes)}
    policy.load_state_dict({**policy.state_dict(), **taken})
    return contract


def _describe(
    config: PolicyConfig,
    tasks: Mapping[str, str],
    success_row: Mapping[str, object],
    protocol: Mapping[str, object],
    seeds: Mapping[str, object],
    parity_task: str,
) -> Contract:
    """Return the contract of a policy, its SHA-256 still empty."""
    try:
        observation = describe_observation(config, parity_task)
    except LamEnvsError as error:
        raise CheckpointError(f"the cameras of {parity_task!r} are not known: {error}") from error
    return Contract(
        format_version=FORMAT_VERSION,
        lam_agent_version=__version__,
        policy=config.kept(),
        tasks=dict(tasks),
        observation=observation,
        actions=describe_actions(),
        control_dt=make_task(parity_task).control_dt,
        chunk_length=config.chunk_length,
        execute_length=config.execute_length,
        versions=package_versions(),
        sha256=dict.fromkeys((MODEL_FILE, PARITY_FILE, INSTRUCTIONS_FILE, CARD_FILE), ""),
        success_row=SuccessRow.from_mapping(success_row),
        protocol=plain_json(protocol, "protocol"),
        seeds=plain_json(seeds, "seeds"),
        parity=Parity(parity_task),
    )
