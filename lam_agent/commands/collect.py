"""`lam-agent collect`: demonstrations into the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import tyro

from lam_agent.config import CollectConfig, RunConfig, TaskStream


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


def command(arguments: Sequence[str]) -> None:
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
