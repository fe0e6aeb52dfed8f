"""`lam-agent remember`: give a checkpoint a memory of its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from lam_agent.commands.rates import check_runnable
from lam_agent.config import (
    CollectConfig,
    DeviceName,
    EvalConfig,
    MemoryConfig,
    RunConfig,
    SimConfig,
    TaskStream,
)
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class RememberArguments:
    """Give a checkpoint frames of its tasks, by which replay keeps them when others are learned."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint, a run, of which the last checkpoint is taken, or weights that ship."""

    output: Path
    """New folder to write, or the checkpoint's own, which is then replaced."""

    tasks: TaskStream | None = None
    """Tasks or named streams that the policy can do; none: those that the checkpoint names. What
    its memory has of other tasks stays."""

    seed: int = 0
    """Seed of the episodes and of the draw."""

    device: DeviceName = "auto"
    """Device of the policy."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    memory: MemoryConfig = field(default_factory=MemoryConfig)
    collect: CollectConfig = field(default_factory=CollectConfig)
    sim: SimConfig = field(default_factory=SimConfig)


def command(arguments: Sequence[str]) -> None:
    """Let the policy run its tasks, and write the checkpoint with frames of that.

    Raises:
        ConfigError: A setting is wrong, or the checkpoint can have no memory.
        CheckpointError: It does not load, or the other cannot be written.
    """
    asked = parse_arguments(RememberArguments, merge_imports(arguments), "lam-agent remember")
    if asked.memory.frames == 0:
        raise ConfigError("memory.frames is 0; it must be at least 1 to remember anything.")
    import torch

    from lam_agent.modules import import_modules
    from lam_envs.streams.resolve import resolve_stream
    from lam_envs.tasks.registry import make_task

    import_modules(asked.imports)
    named = resolve_stream(asked.tasks or ())
    from lam_agent.checkpoint import load_memory, load_pretrained, resolve_checkpoint
    from lam_agent.checkpoint.contract import MEMORY_FILE
    from lam_agent.checkpoint.rewriting import check_output, save_with_memory
    from lam_agent.progress import RunProgress, plain_console
    from lam_agent.remembering import make_memory
    from lam_agent.system import resolve_device

    folder = resolve_checkpoint(asked.checkpoint)
    check_output(folder, asked.output)
    policy, contract = load_pretrained(folder, resolve_device(asked.device))
    if contract.policy.packed != "none":
        raise ConfigError(
            f"the checkpoint {folder} has weights that belong to single tasks (--strategy "
            "packnet), which replay cannot train on; give a memory to another one."
        )
    tasks = tuple(dict.fromkeys(named or contract.known))
    check_runnable(contract.control_dt, tasks)
    settings = RunConfig(
        task_stream=tasks,
        seed=asked.seed,
        device=asked.device,
        threads=asked.threads,
        imports=asked.imports,
        eval=EvalConfig(horizon=contract.protocol.get("horizon", EvalConfig().horizon)),
        policy=replace(contract.policy, init=str(folder)),
        memory=asked.memory,
        collect=asked.collect,
        sim=asked.sim,
    )
    if asked.threads is not None:
        torch.set_num_threads(asked.threads)
    progress = RunProgress(plain_console())
    other = sorted(set(contract.remembered).difference(tasks))
    carried = load_memory(folder) if other else {}
    kept = {task: carried[task] for task in other}
    with progress.phase("running what the policy can do") as update:
        memory = make_memory(policy, tasks, settings, update)
    instructions = {task: make_task(task).instruction for task in tasks}
    texts = {**contract.remembered, **instructions}
    save_with_memory(folder, asked.output, policy, contract, {**kept, **memory}, texts)
    size = (asked.output / MEMORY_FILE).stat().st_size / 1e6
    and_kept = f", and what it had of {', '.join(kept)}" if kept else ""
    progress.say(
        f"Wrote {asked.output} with frames of {len(memory)} tasks, {asked.memory.frames} of each "
        f"at most{and_kept} ({size:.1f} MB)."
    )
