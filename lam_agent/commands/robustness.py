"""`lam-agent robustness`: what a run learned and kept, measured in randomised scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from lam_agent.config import DeviceName
from lam_agent.config.checks import require_threads
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError, ResultsError
from lam_envs.randomisation.ranges import MODERATE, Randomisation


@dataclass(frozen=True)
class RobustnessArguments:
    """Measure a finished run's tasks in randomised scenes, when learned and after the last one.

    The numbers join its results.json and its report.
    """

    run: tyro.conf.Positional[Path]
    """Run folder."""

    device: DeviceName = "auto"
    """Device of the policies."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    by_factor: bool = False
    """Also measure, after the last experience, what each setting of `randomise` does alone."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    randomise: Randomisation = field(default_factory=lambda: MODERATE)
    """Domain randomisation of the test episodes, whose start states are those of the run."""


def command(arguments: Sequence[str]) -> None:
    """Measure the cells, and write them into the results and the report.

    Raises:
        ConfigError: A setting is wrong.
        ResultsError: The run is not finished, or its results cannot be read.
        CheckpointError: A checkpoint of it does not load.
    """
    asked = parse_arguments(RobustnessArguments, merge_imports(arguments), "lam-agent robustness")
    require_threads(asked.threads)
    if not asked.randomise.is_on:
        raise ConfigError("randomise changes nothing; set one of its options above 0.")
    import torch

    from lam_agent.checkpoint import load_pretrained
    from lam_agent.config.file import read_config
    from lam_agent.evaluation.robustness import measure_robustness
    from lam_agent.modules import import_modules
    from lam_agent.policy.policy import VisualActionPolicy
    from lam_agent.progress import RunProgress, plain_console
    from lam_agent.report.terminal import print_factors, print_metrics
    from lam_agent.report.write import write_report
    from lam_agent.results import read_results, write_results
    from lam_agent.running.folder import RunFolder
    from lam_agent.system import resolve_device

    import_modules(asked.imports)
    folder = RunFolder(asked.run.parent if asked.run.is_file() else asked.run)
    results, config = read_results(folder.results), read_config(folder.config)
    protocol = results.protocol
    if not results.finished:
        raise ResultsError(
            f"{folder.path} is not finished; go on with it by `lam-agent run --resume "
            f"{folder.path}`."
        )
    if asked.threads is not None:
        torch.set_num_threads(asked.threads)
    device, tasks = resolve_device(asked.device), results.tasks
    progress = RunProgress(plain_console())

    def load_policy(position: int) -> VisualActionPolicy:
        return load_pretrained(folder.checkpoint(position, tasks[position]), device)[0]

    with folder.locked(), progress.phase("evaluating in randomised scenes") as update:
        perturbed = measure_robustness(
            load_policy,
            tasks,
            asked.randomise,
            episodes=protocol["episodes"],
            horizon=protocol["horizon"],
            is_joint=results.strategy == "joint",
            by_factor=asked.by_factor,
            threads=asked.threads,
            sim=replace(config.sim, on_unstable="drop"),
            progress=update,
        )
        results = replace(
            results,
            perturbed=perturbed,
            metrics={**results.metrics, **perturbed.metrics()},
            intervals={**results.intervals, **perturbed.intervals(tasks)},
        )
        write_results(folder.results, results)
        write_report(folder.path)
    if perturbed.unstable_episodes:
        progress.say(f"{perturbed.unstable_episodes} episodes became unstable and count as failed.")
    print_metrics(results, progress.console)
    print_factors(results, progress.console)
    progress.say(f"Results: {folder.results} and {folder.report}")
