"""The smaller commands: collect, eval, list-tasks, info."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from lam_agent.config import CollectConfig, DeviceName, RunConfig, TaskStream
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class CollectArguments:
    """Collect the demonstrations of tasks into the cache that `run` reads."""

    tasks: TaskStream
    """Tasks, separated by commas."""

    demonstrations: int = RunConfig.demonstrations
    """Demonstration episodes for each task."""

    seed: int = 0
    """Seed of the start states and of the noise."""

    image_size: int = 64
    """Height and width of the camera images, pixels."""

    horizon: int = 200
    """Control steps of an episode, at most."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    collect: CollectConfig = field(default_factory=CollectConfig)


def collect(arguments: Sequence[str]) -> None:
    """Collect demonstrations and say where they are."""
    asked = tyro.cli(CollectArguments, args=list(arguments), prog="lam-agent collect")
    base = RunConfig(
        task_stream=tuple(dict.fromkeys(asked.tasks)),
        seed=asked.seed,
        demonstrations=asked.demonstrations,
        threads=asked.threads,
        collect=asked.collect,
    )
    config = replace(
        base,
        policy=replace(base.policy, image_size=asked.image_size),
        eval=replace(base.eval, horizon=asked.horizon),
    )
    from rich.console import Console

    from lam_agent.demonstrations import demonstration_file, load_demonstrations
    from lam_agent.progress import RunProgress

    progress = RunProgress(Console())
    for task in config.task_stream:
        with progress.phase(f"collecting {task}") as update:
            episodes, is_cached = load_demonstrations(task, config, update)
        progress.say(
            f"{'Found' if is_cached else 'Collected'} {episodes.num_episodes} demonstrations of "
            f"{task}: {episodes.num_frames} looks, {episodes.num_bytes / 1e6:.0f} MB, "
            f"{float(episodes.is_success.float().mean()):.0%} succeed; "
            f"{demonstration_file(task, config)}"
        )


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


def evaluate_checkpoint(arguments: Sequence[str]) -> None:
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


@dataclass(frozen=True)
class ListArguments:
    """Print the tasks and their instructions."""

    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print a JSON list of objects with `name` and `instruction`."""


def list_tasks(arguments: Sequence[str]) -> None:
    """Print the tasks."""
    asked = tyro.cli(ListArguments, args=list(arguments), prog="lam-agent list-tasks")
    from lam_envs.tasks.registry import make_task, task_names

    tasks = [{"name": name, "instruction": make_task(name).instruction} for name in task_names()]
    if asked.json:
        print(json.dumps(tasks, indent=2))
        return
    for task in tasks:
        print(f"{task['name']:<20}{task['instruction']}")


@dataclass(frozen=True)
class InfoArguments:
    """Print what a checkpoint or a run holds, or the environment for a bug report."""

    path: tyro.conf.Positional[Path | None] = None
    """A checkpoint or a run; none: versions, device and threads."""


def info(arguments: Sequence[str]) -> None:
    """Print a checkpoint, a run or the environment."""
    asked = tyro.cli(InfoArguments, args=list(arguments), prog="lam-agent info")
    if asked.path is None:
        from lam_agent.system import available_cores, describe_system, resolve_device

        print(json.dumps(describe_system(resolve_device("auto"), available_cores()), indent=2))
        return
    results = asked.path / "results.json"
    if results.is_file():
        from rich.console import Console

        from lam_agent.report.terminal import print_results
        from lam_agent.results import read_results

        print_results(read_results(results), Console())
        return
    from lam_agent.checkpoint import load_pretrained, resolve_checkpoint

    folder = resolve_checkpoint(asked.path)
    load_pretrained(folder)
    print((folder / "config.json").read_text(encoding="utf-8"))
