"""A policy as an ONNX file, which a robot runs without torch and without this package.

policy, tasks' instructions -> one graph: front, wrist, proprioception, task -> chunk of actions

The file holds all tasks that the policy learned, as a table of their instructions; `task` says
which one a robot is on. Its metadata entry `lam_agent` is JSON with what a robot must know.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lam_agent.checkpoint.contract import Contract
from lam_agent.checkpoint.interface import PROPRIOCEPTION
from lam_agent.errors import ConfigError, ExportError
from lam_agent.extras import load_extra
from lam_agent.files import write_bytes_atomically
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.scene import CAMERAS

METADATA_KEY = "lam_agent"
FORMAT_VERSION = 1

INPUTS = (*CAMERAS, PROPRIOCEPTION, "task")
OUTPUT = "actions"

TOLERANCE = 1e-4
"""Largest difference of an action between ONNX Runtime and torch, of which 1 is the limit."""

_TOLD = (
    *("lam_agent_version", "tasks", "observation", "actions", "control_dt", "chunk_length"),
    *("execute_length", "success_row", "versions", "sha256"),
)
"""Entries of the contract that the metadata holds."""

_MOST_ROBOTS = 4096
_EXAMPLES = 2
"""Robots in the example that the graph is traced with; sizes of 1 would be taken for constants."""


class _AllTasks(nn.Module):
    """What the graph computes.

    Args:
        policy: The policy.
        instructions: One for each task.
    """

    def __init__(self, policy: VisualActionPolicy, instructions: list[str]) -> None:
        super().__init__()
        self.policy = policy
        bags = torch.stack([bag_of_words(instruction) for instruction in instructions])
        self.register_buffer("bags", bags)

    def forward(
        self,
        front: torch.Tensor,
        wrist: torch.Tensor,
        proprioception: torch.Tensor,
        task: torch.Tensor,
    ) -> torch.Tensor:
        """Return chunks of actions, (B, L, 4), in [-1, 1]; `task` is int64, shape (B,)."""
        images = {"front": front, "wrist": wrist}
        bags = self.get_buffer("bags").index_select(0, task)
        actions: torch.Tensor = self.policy(images, proprioception, bags).actions
        return actions.clamp(-1.0, 1.0)


def export_onnx(
    policy: VisualActionPolicy, contract: Contract, path: Path, task: str | None = None
) -> Contract:
    """Write a policy as an ONNX file, and prove that ONNX Runtime gives its actions.

    The inputs are `front` and `wrist` (uint8, (B, H, W, 3)), `proprioception` (float32, (B, 4)) and
    `task` (int64, (B,)), the place of the task among `tasks` of the metadata; the output is
    `actions` (float32, (B, L, 4)), in [-1, 1], for any number B of robots.

    Args:
        policy: The policy, on a CPU.
        contract: Its contract.
        path: The file; one that is there is replaced.
        task: The only task that the file holds; None for all that the policy learned. A policy
            whose tasks have weights of their own (packnet) needs a file for each.

    Returns:
        The contract with the tasks that the file holds.

    Raises:
        ConfigError: The path does not end in `.onnx`, the policy did not learn the task, or one
            must be named.
        MissingExtraError: `onnx`, `onnxscript` or `onnxruntime` is not installed.
        ExportError: The policy cannot be exported, or the file gives other actions.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"output is {str(path)!r}; it must end in .onnx.")
    if policy.device.type != "cpu":
        raise ConfigError(f"the policy is on {policy.device}; load it on the CPU to export it.")
    if task is not None:
        contract = _of_task(contract, task)
    elif policy.packs is not None and len(contract.tasks) > 1:
        raise ConfigError(
            "the policy's tasks have weights of their own (--strategy packnet), and a file holds "
            f"those of one; name it by --task, one of {', '.join(contract.tasks)}."
        )
    runtime = _load_libraries()
    policy = policy.on_task(bag_of_words(next(iter(contract.tasks.values()))))
    module = _AllTasks(policy, list(contract.tasks.values())).eval()
    content = _content(module, contract)
    _check(runtime, content, module, contract)
    write_bytes_atomically(path, content)
    return contract


def _of_task(contract: Contract, task: str) -> Contract:
    """Return a contract with one of its tasks alone.

    Raises:
        ConfigError: The policy did not learn it.
    """
    tasks = {task: contract.instruction_of(task)}
    return replace(contract, tasks=tasks, parity=replace(contract.parity, task=task))


def _load_libraries() -> Any:
    """Return the module `onnxruntime`."""
    return load_extra("onnx", "an ONNX file needs", "onnx", "onnxscript", "onnxruntime")


def _content(module: _AllTasks, contract: Contract) -> bytes:
    """Return the content of the file."""
    robots = torch.export.Dim("robots", min=1, max=_MOST_ROBOTS)
    with _quietly():
        try:
            program = torch.onnx.export(
                module,
                tuple(_observations(contract, _EXAMPLES).values()),
                dynamo=True,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_shapes=({0: robots},) * len(INPUTS),
                verbose=False,
            )
            assert program is not None
            model = program.model_proto
        except Exception as error:  # Whatever the exporter and the backbone's library raise.
            first = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
            raise ExportError(
                f"torch cannot write this policy (encoder {module.policy.config.encoder!r}) as "
                f"ONNX ({first}); use another version of torch, or another encoder."
            ) from error
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, json.dumps(_metadata(contract))
    content: bytes = model.SerializeToString()
    return content


def _metadata(contract: Contract) -> dict[str, Any]:
    """Return what a robot must know."""
    whole = asdict(contract)
    return {"format_version": FORMAT_VERSION, **{name: whole[name] for name in _TOLD}}


def _observations(contract: Contract, num_robots: int) -> dict[str, torch.Tensor]:
    """Return random observations and tasks, in the order of the inputs."""
    generator = torch.Generator().manual_seed(num_robots)
    size = contract.policy.image_size
    shape = (num_robots, size, size, 3)
    found = {
        camera: torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        for camera in CAMERAS
    }
    found[PROPRIOCEPTION] = torch.rand(num_robots, 4, generator=generator)
    found["task"] = torch.arange(num_robots) % len(contract.tasks)
    return found


def _check(runtime: Any, content: bytes, module: _AllTasks, contract: Contract) -> None:
    """Refuse a file that gives other actions than the policy, for one robot and for all tasks."""
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for num_robots in (1, len(contract.tasks) + 1):
        given = _observations(contract, num_robots)
        with torch.inference_mode():
            expected: npt.NDArray[Any] = module(*given.values()).numpy()
        (found,) = session.run([OUTPUT], {key: value.numpy() for key, value in given.items()})
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"ONNX Runtime's actions differ from torch's by {difference:.1e}, more than "
                f"{TOLERANCE:g}; nothing was written; use other versions of torch and onnxruntime."
            )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back what the exporter warns and logs of its own code."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
