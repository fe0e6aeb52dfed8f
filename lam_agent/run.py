"""Run a task stream: `python -m lam_agent.run --task-stream reach,push`, or `lam-agent run`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lam_agent.config import RunConfig
from lam_agent.config.options import merge_imports, value_after
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError, Interrupted, LamAgentError, RunFolderError
from lam_envs.errors import LamEnvsError

if TYPE_CHECKING:
    from rich.console import Console

    from lam_agent.interrupts import Interrupts
    from lam_agent.results import Results
    from lam_agent.running.folder import RunFolder


@dataclass(frozen=True)
class RunArguments:
    """Adapt a visual-action policy to a stream of tasks and measure what it forgets."""

    settings: Annotated[RunConfig, tyro.conf.arg(name="")]

    config: Path | None = None
    """YAML file with settings, such as the config.yaml of a run; flags override it."""

    resume: Path | None = None
    """Run folder to go on with where it stands; a longer --task-stream appends tasks."""


def parse(arguments: Sequence[str]) -> RunArguments:
    """Parse the arguments of `run`.

    Raises:
        ConfigError: A setting is unknown or out of range.
        RunFolderError: The folder of `--resume` is no run.
    """
    from lam_agent.config.file import read_config

    named = [value_after(flag, arguments, None) for flag in ("--config", "--resume")]
    config, resume = (None if value is None else Path(value) for value in named)
    if config and resume:
        raise ConfigError(
            "--config and --resume cannot go together; a run has a config of its own."
        )
    if resume:
        config = resume / "config.yaml"
        if not config.is_file():
            raise RunFolderError(
                f"{resume} is no run folder: it has no config.yaml; name the folder that a run "
                "made."
            )
    prog = "lam-agent run"
    if not config:
        return parse_arguments(RunArguments, merge_imports(arguments), prog)
    given = RunArguments(read_config(config), config, resume)
    words = merge_imports(arguments, given.settings.imports)
    parsed = parse_arguments(RunArguments, words, prog, given)
    if resume:
        _check_same_folder(resume, parsed.settings.output_dir)
        parsed = replace(parsed, settings=with_absolute_paths(parsed.settings))
        _check_unchanged(with_absolute_paths(given.settings), parsed.settings)
    return parsed


def _check_same_folder(resume: Path, output: Path | None) -> None:
    """Refuse another folder for a run that has one."""
    if output is not None and output.resolve() != resume.resolve():
        raise ConfigError(
            f"--resume goes on in {resume} and writes nothing into {output}; leave --output-dir "
            "away."
        )


def _check_unchanged(saved: RunConfig, asked: RunConfig) -> None:
    """Refuse to resume with settings that change what the run measured."""
    same = replace(
        asked,
        output_dir=saved.output_dir,
        device=saved.device,
        video=saved.video,
        logger=saved.logger,
        references=saved.references,
        imports=saved.imports,  # More modules may bring the tasks that are appended.
        # A run that an unstable world stopped may go on without it; its results tell the engine.
        sim=saved.sim,
        task_stream=_without_new_tasks(saved, asked),
    )
    # Whether a task may come again is no result: an appended one may.
    for name in saved.__dataclass_fields__:
        if name != "allow_repeats" and getattr(same, name) != getattr(saved, name):
            raise ConfigError(
                f"--resume cannot change {name.replace('_', '-')} from {getattr(saved, name)!r} to "
                f"{getattr(asked, name)!r}; leave the flag away or start a new run."
            )


def _without_new_tasks(saved: RunConfig, asked: RunConfig) -> tuple[str, ...]:
    """Return the asked stream as long as the saved one, where tasks may be appended."""
    length = len(saved.task_stream)
    if len(asked.task_stream) == length:
        return asked.task_stream
    if saved.stream.order_seed is not None or saved.strategy == "joint":
        reason = "its order is drawn" if saved.strategy != "joint" else "joint learns all at once"
        raise ConfigError(
            f"--resume cannot append tasks to {','.join(saved.task_stream)}, because {reason}; "
            "start a new run."
        )
    return asked.task_stream[:length]


def execute(arguments: RunArguments) -> None:
    """Run or resume."""
    from lam_agent.progress import plain_console
    from lam_agent.running.folder import RunFolder

    if arguments.resume is None:
        RunFolder.check_free(arguments.settings)
    console = plain_console()
    with console.status("Loading torch, MuJoCo and Avalanche …"):
        from lam_agent.demonstrations.folder import check_demonstrations

        check_demonstrations(arguments.settings)
        from lam_envs.streams.fit import check_stream_fit

        check_stream_fit(arguments.settings.tasks)
        from lam_agent.policy.fit import check_learnable

        check_learnable(arguments.settings.tasks)
        if arguments.resume is None:
            arguments = replace(arguments, settings=_fitted(arguments.settings))
        from lam_agent.running.references import keep_as_reference, with_references
        from lam_agent.running.runner import Runner

    from lam_agent.interrupts import Interrupts, goes_on_by

    is_new = arguments.resume is None
    folder = (
        RunFolder(arguments.resume) if arguments.resume else RunFolder.create(arguments.settings)
    )
    interrupts = Interrupts()
    with folder.locked(), interrupts.caught():
        try:
            runner = Runner(arguments.settings, folder, console, interrupts, resume=not is_new)
        except (LamAgentError, LamEnvsError) as error:
            if is_new:
                folder.discard()  # The corrected command may name the same folder.
            if isinstance(error, Interrupted):
                error.is_saved = not is_new
            raise
        if not is_new:
            folder.write_config(arguments.settings)
        with goes_on_by(shlex.join(["lam-agent", "run", "--resume", str(folder.path)])):
            results = runner.run()
            if arguments.settings.references:
                keep_as_reference(results, arguments.settings)
                _make_references(arguments.settings, console, interrupts)
            runner.show(with_references(results, arguments.settings))


def _fitted(settings: RunConfig) -> RunConfig:
    """Return the settings with what the initial weights decide, and refuse what they cannot do."""
    from lam_agent.checkpoint import (
        check_measured,
        check_rate,
        collected_tasks,
        fitted_pretraining,
        fitted_sizes,
    )
    from lam_envs.streams.fit import check_stream_fit
    from lam_envs.tasks.registry import make_task

    policy = fitted_sizes(settings.policy)
    check_rate(policy, make_task(settings.tasks[0]).control_dt)
    pretraining = fitted_pretraining(settings.pretraining, policy)
    check_measured(pretraining, policy)
    before = [*pretraining.measured, *collected_tasks(pretraining, policy)]
    check_stream_fit([*settings.tasks, *before])
    return with_absolute_paths(replace(settings, policy=policy, pretraining=pretraining))


def with_absolute_paths(settings: RunConfig) -> RunConfig:
    """Return the settings with paths that mean the same wherever the run goes on.

    What is no path stays: names of weights that ship, and of those that a checkpoint began with.
    """
    policy, collect = settings.policy, settings.collect
    demonstrations = settings.demonstrations_path
    if policy.init != "none":
        init = Path(policy.init).expanduser()
        if init.exists():
            policy = replace(policy, init=str(init.absolute()))
    elif policy.encoder_weights not in ("none", "default"):
        weights = str(Path(policy.encoder_weights).absolute())
        policy = replace(policy, encoder_weights=weights)
    if collect.cache_dir is not None:
        collect = replace(collect, cache_dir=collect.cache_dir.absolute())
    if collect.teachers is not None:
        collect = replace(collect, teachers=collect.teachers.absolute())
    if demonstrations is not None:
        demonstrations = demonstrations.absolute()
    return replace(settings, policy=policy, collect=collect, demonstrations_path=demonstrations)


def _make_references(config: RunConfig, console: Console, interrupts: Interrupts) -> None:
    """Make the reference runs that the cache lacks."""
    from lam_agent.running.references import make_references
    from lam_agent.running.runner import Runner

    def run(reference: RunConfig, folder: RunFolder, is_resumed: bool) -> Results:
        return Runner(reference, folder, console, interrupts, resume=is_resumed).run()

    make_references(config, run, lambda words: console.print(words, soft_wrap=True))


def command(arguments: Sequence[str]) -> None:
    """Parse and run."""
    execute(parse(arguments))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `python -m lam_agent.run`."""
    from lam_agent.__main__ import main as command_line

    return command_line(["run", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
