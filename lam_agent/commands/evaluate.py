"""`lam-agent eval`: the success of a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lam_agent.config import DeviceName, TaskStream
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class EvalArguments:
    """Measure the success of a checkpoint on test starts."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint, or a run, of which the last checkpoint is taken."""

    tasks: TaskStream | None = None
    """Tasks, separated by commas; none: those that the checkpoint learned."""

    episodes: int = 50
    """Test episodes for each task; the starts of the first ones do not depend on it."""

    horizon: int = 200
    """Control steps of an episode."""

    device: DeviceName = "auto"
    """Device of the policy."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print JSON instead of a table."""


def command(arguments: Sequence[str]) -> None:
    """Evaluate a checkpoint and print its success."""
    asked = tyro.cli(EvalArguments, args=list(arguments), prog="lam-agent eval")
    for name in ("episodes", "horizon"):
        if getattr(asked, name) < 1:
            raise ConfigError(f"{name} is {getattr(asked, name)}; it must be at least 1.")
    from rich.console import Console
    from rich.table import Table

    from lam_envs.tasks.registry import check_task_name

    for task in asked.tasks or ():
        check_task_name(task)
    from lam_agent.checkpoint import load_pretrained, resolve_checkpoint
    from lam_agent.evaluate import evaluate
    from lam_agent.intervals import wilson_interval
    from lam_agent.progress import RunProgress
    from lam_agent.system import resolve_device

    progress = RunProgress(Console(stderr=asked.json))
    policy, contract = load_pretrained(
        resolve_checkpoint(asked.checkpoint), resolve_device(asked.device)
    )
    rows = []
    for task in asked.tasks or tuple(contract.tasks):
        with progress.phase(f"evaluating {task}") as update:
            result = evaluate(
                policy,
                task,
                episodes=asked.episodes,
                split="test",
                horizon=asked.horizon,
                threads=asked.threads,
                progress=update,
            )
        low, high = wilson_interval(int(result.is_success.sum()), asked.episodes)
        rows.append(
            {
                "task": task,
                "success": result.success_rate,
                "interval": [low, high],
                "success_at_end": float(result.is_success_at_end.float().mean()),
                "episodes": asked.episodes,
            }
        )
    if asked.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("task", "success", "95 % interval", "at the last step", "episodes")
    for row in rows:
        interval = f"{row['interval'][0]:.0%} – {row['interval'][1]:.0%}"  # type: ignore[index]
        cells = (f"{row['success']:.0%}", interval, f"{row['success_at_end']:.0%}")
        table.add_row(str(row["task"]), *cells, str(row["episodes"]))
    progress.console.print(table)
