"""`lam-agent collect`: demonstrations into the cache, and into a folder of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lam_agent.commands.outputs import free_files
from lam_agent.config import (
    NUM_DEMONSTRATIONS,
    CollectConfig,
    DeviceName,
    RunConfig,
    SimConfig,
    TaskStream,
)
from lam_agent.config.checks import require
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_envs.randomisation.ranges import Randomisation


@dataclass(frozen=True)
class CollectArguments:
    """Collect the demonstrations of tasks into the cache that `run` reads."""

    tasks: TaskStream
    """Tasks or named streams, separated by commas."""

    demonstrations: int = NUM_DEMONSTRATIONS
    """Demonstration episodes for each task."""

    seed: int = 0
    """Seed of the start states and of the noise."""

    image_size: int = 64
    """Height and width of the camera images, pixels."""

    horizon: int = 200
    """Control steps of an episode, at most."""

    output: Path | None = None
    """Folder for copies, `<task>.safetensors`, that `run --demonstrations-path` reads."""

    device: DeviceName = "auto"
    """Device of the run that is to find them: with a GPU they are simulated and drawn there."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    sim: SimConfig = field(default_factory=SimConfig)
    randomise: Randomisation = field(default_factory=Randomisation)
    """Domain randomisation; `run` finds what was collected with the same."""

    collect: CollectConfig = field(default_factory=CollectConfig)


def command(arguments: Sequence[str]) -> None:
    """Collect demonstrations and say where they are."""
    from lam_agent.modules import import_modules
    from lam_envs.streams.resolve import resolve_stream

    asked = parse_arguments(CollectArguments, merge_imports(arguments), "lam-agent collect")
    import_modules(asked.imports)
    require(len(asked.tasks) >= 1, "tasks", "", "one task or more")
    require(asked.horizon >= 1, "horizon", asked.horizon, "at least 1")
    base = RunConfig(
        task_stream=tuple(dict.fromkeys(resolve_stream(asked.tasks))),
        seed=asked.seed,
        demonstrations=asked.demonstrations,
        device=asked.device,
        threads=asked.threads,
        imports=asked.imports,
        sim=asked.sim,
        randomise=asked.randomise,
        collect=asked.collect,
    )
    config = replace(
        base,
        policy=replace(base.policy, image_size=asked.image_size),
        eval=replace(base.eval, horizon=asked.horizon),
    )
    copies = {} if asked.output is None else free_files(asked.output, config.task_stream)

    from lam_agent.demonstrations.load import (
        demonstration_file,
        load_demonstrations,
        success_words,
        unstable_words,
    )
    from lam_agent.progress import RunProgress, plain_console

    progress = RunProgress(plain_console())
    for task in config.task_stream:
        with progress.phase(f"collecting {task}") as update:
            episodes, is_cached = load_demonstrations(task, config, update, is_cache_needed=True)
        path = copies.get(task) or demonstration_file(task, config)
        if task in copies:
            episodes.save(path)
        progress.say(
            f"{'Found' if is_cached else 'Collected'} {episodes.num_episodes} demonstrations of "
            f"{task}: {episodes.num_frames} looks, {episodes.num_bytes / 1e6:.0f} MB, "
            f"{success_words(episodes)}; {path}"
        )
        if episodes.num_unstable:
            progress.say(unstable_words(task, episodes))
