"""`lam-agent benchmark`: strategies with several seeds on one task stream, and who forgets what.

strategies x seeds --one process a run--> run folders --> comparison.html, benchmark.md, .json
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from lam_agent import run
from lam_agent.benchmark.jobs import Job, run_jobs
from lam_agent.config import MAX_THREADS, RunConfig
from lam_agent.config.checks import require
from lam_agent.config.options import comma_list
from lam_agent.config.parsing import parse_known_arguments
from lam_agent.errors import BenchmarkError, ConfigError, UnknownOptionError
from lam_agent.interrupts import goes_on_by
from lam_envs.cores import available_cores
from lam_envs.words import nearest

_OWN = {"--strategy": "--strategies", "--seed": "--seeds", "--resume": "the same command again"}
"""Options of a run that a benchmark sets itself, and what to give in their place."""


@dataclass(frozen=True)
class BenchmarkArguments:
    """Run strategies with several seeds on one task stream and compare them on one page.

    All options of `lam-agent run` go to each run. The same command again goes on where it stopped,
    and a longer one makes what is missing.
    """

    strategies: Annotated[tuple[str, ...], comma_list("STRATEGY,…", is_distinct=True)] = (
        *("naive", "ewc", "packnet", "replay", "cumulative"),
    )
    """Strategies, built-in ones or others."""

    seeds: Annotated[tuple[str, ...], comma_list("SEED,…", is_distinct=True)] = ("0", "1", "2")
    """Seeds of demonstrations, weights and training; intervals over seeds need three."""

    output_dir: Path = Path("runs/benchmark")
    """Folder of the runs and of the comparison."""

    jobs: int = 1
    """Runs at a time. Where there are more than one, each has its share of the CPU cores, unless
    `--threads` is given, and says in a file what one alone shows."""

    def __post_init__(self) -> None:
        require(1 <= self.jobs <= MAX_THREADS, "jobs", self.jobs, f"between 1 and {MAX_THREADS}")


@dataclass(frozen=True)
class _Planned:
    """A run of the benchmark.

    Attributes:
        folder: Its folder.
        words: Arguments of `lam-agent run` for it.
        settings: What they ask for; a share of the cores is not among it.
    """

    folder: Path
    words: list[str]
    settings: RunConfig


def command(arguments: Sequence[str]) -> None:
    """Make what is missing of a benchmark, and write what it found.

    Raises:
        ConfigError: A setting is wrong, which is found before the first run.
        BenchmarkError: A run failed.
        Interrupted: A signal stopped a run.
    """
    asked, words = parse_known_arguments(BenchmarkArguments, arguments, "lam-agent benchmark")
    planned = _plan(asked, list(words))  # What is wrong with the last is said before the first.
    numbers = {item.folder: number for number, item in enumerate(planned, 1)}
    done = [item.folder for item in planned if _is_finished(item)]
    missing = [item for item in planned if item.folder not in done]

    def say(item: _Planned, words: str) -> None:
        print(f"Run {numbers[item.folder]} of {len(planned)}: {item.folder}{words}", flush=True)

    def begins(job: Job[_Planned]) -> None:
        say(job.what, f", its words go to {job.log}" if job.log else "")

    def ends(job: Job[_Planned], status: int) -> None:
        if job.log:
            say(job.what, f" failed with status {status}" if status else " is done")
        _check_ended(job, status)
        done.append(job.what.folder)
        _write(asked.output_dir, sorted(done, key=numbers.__getitem__))

    for folder in done:
        print(f"Run {numbers[folder]} of {len(planned)}: {folder} is done", flush=True)
    jobs = [_job(item, has_log=asked.jobs > 1) for item in missing]
    with goes_on_by(shlex.join(["lam-agent", "benchmark", *arguments])):
        run_jobs(jobs, asked.jobs, begins, ends)
    if not jobs:
        _write(asked.output_dir, done)
    print(f"Benchmark: {', '.join(map(str, _files(asked.output_dir)))}")


def _plan(asked: BenchmarkArguments, words: list[str]) -> list[_Planned]:
    """Return the runs, all strategies of a seed before those of the next.

    Where several run at a time it is the other way round, because those of a seed share reference
    runs, and would wait for each other.

    Raises:
        ConfigError: There are none, a seed is no number, an option is the benchmark's own, or a
            setting is wrong.
    """
    for flag, instead in _OWN.items():
        if any(word == flag or word.startswith(f"{flag}=") for word in words):
            raise ConfigError(f"a benchmark has no {flag}; give {instead}.")
    for name, values in (("strategies", asked.strategies), ("seeds", asked.seeds)):
        if not values:
            raise ConfigError(f"{name} is empty; name one or more, separated by commas.")
    for seed in asked.seeds:
        if not seed.isdecimal():
            raise ConfigError(f"seeds has {seed!r}; it must be whole numbers, at least 0.")
    planned = []
    pairs = [(strategy, seed) for seed in asked.seeds for strategy in asked.strategies]
    share = []
    if asked.jobs > 1:
        pairs.sort(key=lambda pair: asked.strategies.index(pair[0]))
        share = ["--threads", str(max(1, available_cores() // asked.jobs))]
    for strategy, seed in pairs:
        folder = asked.output_dir / f"{strategy}_seed{seed}"
        own = ["--references", *words, "--strategy", strategy, "--seed", seed]
        is_new = not folder.exists()
        if is_new:
            given = [*own, "--output-dir", str(folder)]
        else:
            given = ["--resume", str(folder), *_without_config(own)]
        settings = _parse(given)
        if is_new and settings.threads is None:
            given += share
        planned.append(_Planned(folder, given, settings))
    return planned


def _parse(words: list[str]) -> RunConfig:
    """Return the settings of a run.

    Raises:
        ConfigError: One is wrong, or there is none of that name.
    """
    try:
        return run.parse(words).settings
    except UnknownOptionError as error:
        own = [f"--{item.name.replace('_', '-')}" for item in fields(BenchmarkArguments)]
        raise ConfigError(
            f"lam-agent benchmark has no option {error.name!r}"
            f"{nearest(error.name, (*own, *error.options))}; see lam-agent benchmark --help, and "
            "lam-agent run --help for those of its runs."
        ) from error


def _without_config(words: list[str]) -> list[str]:
    """Leave out `--config FILE`: a run that goes on has a configuration of its own."""
    kept, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "--config" and rest:
            rest.pop(0)
        elif not word.startswith("--config="):
            kept.append(word)
    return kept


def _is_finished(item: _Planned) -> bool:
    """Tell whether there is nothing to do: the whole stream and its references are measured."""
    from lam_agent.results import read_results

    results = item.folder / "results.json"
    if not results.is_file():
        return False
    found = read_results(results)
    has_references = any(bound is not None for bound in found.references.values())
    has_references = has_references or not item.settings.references
    return found.finished and found.tasks == item.settings.tasks and has_references


def _job(item: _Planned, has_log: bool) -> Job[_Planned]:
    """Return the process of a run, whose memory and threads are its own."""
    log = item.folder.with_name(f"{item.folder.name}.log") if has_log else None
    return Job(item, [sys.executable, "-m", "lam_agent.benchmark.member", *item.words], log)


def _check_ended(job: Job[_Planned], status: int) -> None:
    """Refuse a run that failed; it has said why.

    Raises:
        BenchmarkError: It failed.
    """
    if status:
        where = f"{job.log} ends with" if job.log else "it says above"
        raise BenchmarkError(
            f"the run {job.what.folder} ended with status {status}; mend what {where} and give "
            "the same command again."
        )


def _files(folder: Path) -> list[Path]:
    """Return what a benchmark writes beside its runs."""
    return [folder / name for name in ("comparison.html", "benchmark.md", "benchmark.json")]


def _write(folder: Path, runs: Sequence[Path]) -> None:
    """Write what the runs so far found; one run has nothing to be compared with."""
    from lam_agent.report.benchmark import write_benchmark

    if len(runs) > 1:
        page, table, data = _files(folder)
        write_benchmark([run / "results.json" for run in runs], page, table, data)
