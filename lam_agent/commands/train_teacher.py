"""`lam-agent train-teacher`: teachers of tasks, by reinforcement learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lam_agent.commands.outputs import free_files
from lam_agent.config import EvalConfig, TaskStream
from lam_agent.config.checks import require, require_countable, require_threads
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_agent.config.teaching import TeachingConfig


@dataclass(frozen=True)
class TeacherArguments:
    """Train teachers that see states; `--collect.teachers` of `run` lets them demonstrate."""

    tasks: TaskStream
    """Tasks or named streams, separated by commas."""

    output: Path
    """Folder of teachers; the file `<task>.safetensors` is added to it."""

    seed: int = 0
    """Seed of the start states, of the weights and of the noise."""

    horizon: int = EvalConfig.horizon
    """Control steps of an episode."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    teaching: TeachingConfig = field(default_factory=TeachingConfig)

    def __post_init__(self) -> None:
        require(len(self.tasks) >= 1, "tasks", "", "one task or more")
        require_countable(self)
        require(0 <= self.seed < 2**32, "seed", self.seed, "at least 0 and below 2^32")
        require(self.horizon >= 1, "horizon", self.horizon, "at least 1")
        require_threads(self.threads)


def command(arguments: Sequence[str]) -> None:
    """Train teachers and say how good they are."""
    from lam_agent.modules import import_modules
    from lam_envs.streams.resolve import resolve_stream

    asked = parse_arguments(TeacherArguments, merge_imports(arguments), "lam-agent train-teacher")
    import_modules(asked.imports)
    tasks = tuple(dict.fromkeys(resolve_stream(asked.tasks)))
    paths = free_files(asked.output, tasks)

    import time

    import torch

    from lam_agent.progress import RunProgress, plain_console
    from lam_agent.teachers.training import train_teacher
    from lam_envs.streams.fit import check_stream_fit

    check_stream_fit(tasks)
    if asked.threads:
        torch.set_num_threads(asked.threads)
    progress = RunProgress(plain_console())
    for task, path in paths.items():
        start = time.monotonic()
        with progress.phase(f"teaching {task}") as update:
            teacher = train_teacher(
                task,
                asked.teaching,
                seed=asked.seed,
                horizon=asked.horizon,
                threads=asked.threads,
                keep=lambda best, path=path: best.save(path),  # type: ignore[misc]
                progress=update,
            )
        said = teacher.said
        progress.say(
            f"Taught {task} in {said['steps']:,} steps ({time.monotonic() - start:.0f} s): "
            f"{said['success']:.0%} of {asked.teaching.validation_episodes} validation episodes "
            f"succeed, {said['success_at_end']:.0%} at their last step; {path}"
        )
