"""`lam-agent eval`: the success of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from lam_agent.commands.rates import check_runnable
from lam_agent.config import DeviceName, EvalConfig, SimConfig, TaskStream
from lam_agent.config.checks import require, require_threads
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_envs.randomisation.ranges import Randomisation

_MOST = 1_000_000
"""Most episodes, and most control steps of one."""


@dataclass(frozen=True)
class EvalArguments:
    """Measure the success of a checkpoint on test starts, of tasks that it learned or of others."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint, or a run, of which the last checkpoint is taken."""

    tasks: TaskStream | None = None
    """Tasks or named streams, separated by commas, learned or not; none: those it learned."""

    episodes: int | None = None
    """Test episodes for each task; none: as many as when the checkpoint was saved."""

    horizon: int | None = None
    """Control steps of an episode; none: as many as when the checkpoint was saved."""

    device: DeviceName = "auto"
    """Device of the policy."""

    threads: int | None = None
    """CPU threads; none: as many as when the checkpoint was saved, whose success then repeats, but
    no more than there are cores."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print JSON instead of a table."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    sim: SimConfig = field(default_factory=SimConfig)

    randomise: Randomisation = field(default_factory=Randomisation)
    """Domain randomisation of the test episodes: how robust is the policy?"""


def command(arguments: Sequence[str]) -> None:
    """Evaluate a checkpoint and print its success."""
    asked = parse_arguments(EvalArguments, merge_imports(arguments), "lam-agent eval")
    require_threads(asked.threads)
    for name, value in (("episodes", asked.episodes), ("horizon", asked.horizon)):
        is_one = value is None or 1 <= value <= _MOST
        require(is_one, name, value, f"between 1 and {_MOST}")
    require(asked.tasks is None or len(asked.tasks) >= 1, "tasks", "", "one task or more")
    import torch
    from rich.table import Column, Table

    from lam_agent.modules import import_modules
    from lam_envs.streams.resolve import resolve_stream
    from lam_envs.tasks.registry import make_task

    import_modules(asked.imports)
    tasks = tuple(dict.fromkeys(resolve_stream(asked.tasks or ())))
    from lam_agent.checkpoint import load_pretrained, match_instruction, resolve_checkpoint
    from lam_agent.evaluation.evaluate import evaluate
    from lam_agent.metrics.intervals import wilson_interval
    from lam_agent.progress import RunProgress, plain_console
    from lam_agent.system import resolve_device, simulation_on
    from lam_envs.cores import available_cores

    progress = RunProgress(plain_console(stderr=asked.json))
    policy, contract = load_pretrained(
        resolve_checkpoint(asked.checkpoint), resolve_device(asked.device)
    )
    check_runnable(contract.control_dt, tasks or tuple(contract.tasks))
    protocol = contract.protocol
    episodes = asked.episodes or protocol.get("episodes", EvalConfig().episodes)
    horizon = asked.horizon or protocol.get("horizon", EvalConfig().horizon)
    threads = asked.threads
    if threads is None and "threads" in protocol:
        threads = min(protocol["threads"], available_cores())
    if threads is not None:
        torch.set_num_threads(threads)
    recorded = contract.success_row.rates
    # What was recorded was measured in the scenes' own looks; pretraining has validation starts.
    engine, _ = simulation_on(asked.sim.engine, str(policy.device))
    is_same = not asked.randomise.is_on and (episodes, horizon, "test", engine) == (
        protocol.get("episodes"),
        protocol.get("horizon"),
        protocol.get("split", "test"),
        protocol.get("physics_engine", engine),
    )
    rows: list[dict[str, Any]] = []
    for task in tasks or tuple(contract.tasks):
        with progress.phase(f"evaluating {task}") as update:
            result = evaluate(
                policy,
                task,
                episodes=episodes,
                split="test",
                horizon=horizon,
                threads=threads,
                sim=asked.sim,
                randomisation=asked.randomise,
                progress=update,
            )
        match = match_instruction(policy, contract, make_task(task).instruction)
        low, high = wilson_interval(int(result.is_success.sum()), episodes)
        rows.append(
            {
                "task": task,
                "success": result.success_rate,
                "interval": [low, high],
                "success_at_end": float(result.is_success_at_end.float().mean()),
                "episodes": episodes,
                "horizon": horizon,
                "recorded": recorded.get(task) if is_same else None,
                "unstable_episodes": result.num_unstable,
                "is_instruction_seen": match.is_seen,
                "nearest_instruction": {
                    "task": match.task,
                    "instruction": match.instruction,
                    "similarity": match.similarity,
                },
            }
        )
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    if asked.randomise.is_on:
        progress.say("The test episodes were randomised.")
    table = Table(
        Column("task", overflow="fold", min_width=max(len(row["task"]) for row in rows)),
        *("success", "95 %", "last step", "episodes", "saved", "learned"),
    )
    for row in rows:
        low, high = row["interval"]
        table.add_row(
            str(row["task"]),
            f"{row['success']:.0%}",
            f"{low:.0%} – {high:.0%}",
            f"{row['success_at_end']:.0%}",
            str(row["episodes"]),
            "–" if row["recorded"] is None else f"{row['recorded']:.0%}",
            "yes" if row["is_instruction_seen"] else "no",
        )
    progress.console.print(table)
    for row in rows:
        if not row["is_instruction_seen"]:
            near = row["nearest_instruction"]
            progress.say(
                f"The checkpoint never learned the instruction of {row['task']}; the nearest that "
                f"it learned is that of {near['task']} (cosine {near['similarity']:.2f})."
            )
        if row["unstable_episodes"]:
            progress.say(
                f"{row['unstable_episodes']} of {row['episodes']} episodes of {row['task']} became "
                "unstable and count as failed."
            )
