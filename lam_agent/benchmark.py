"""`lam-agent benchmark`: strategies with several seeds on one task stream, and who forgets what.

strategies x seeds --one process a run--> run folders --> comparison.html, benchmark.md, .json
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated

from lam_agent import run
from lam_agent.config import RunConfig
from lam_agent.config.options import comma_list
from lam_agent.config.parsing import parse_known_arguments
from lam_agent.errors import BenchmarkError, ConfigError, Interrupted

_OWN = {"--strategy": "--strategies", "--seed": "--seeds", "--resume": "the same command again"}
"""Options of a run that a benchmark sets itself, and what to give in their place."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


@dataclass(frozen=True)
class _Planned:
    """A run of the benchmark.

    Attributes:
        folder: Its folder.
        words: Arguments of `lam-agent run` for it.
        settings: What they ask for.
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
    for number, item in enumerate(planned, 1):
        print(f"Run {number} of {len(planned)}: {item.folder}", flush=True)
        is_last, is_finished = number == len(planned), _is_finished(item)
        if not is_finished:
            _execute(item, ["lam-agent", "benchmark", *arguments])
        if is_last or not is_finished:
            _write(asked.output_dir, [other.folder for other in planned[:number]])
    print(f"Benchmark: {', '.join(map(str, _files(asked.output_dir)))}")


def _plan(asked: BenchmarkArguments, words: list[str]) -> list[_Planned]:
    """Return the runs, all strategies of a seed before those of the next.

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
    for seed in asked.seeds:
        for strategy in asked.strategies:
            folder = asked.output_dir / f"{strategy}_seed{seed}"
            own = ["--references", *words, "--strategy", strategy, "--seed", seed]
            if folder.exists():
                given = ["--resume", str(folder), *_without_config(own)]
            else:
                given = [*own, "--output-dir", str(folder)]
            planned.append(_Planned(folder, given, run.parse(given).settings))
    return planned


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


def _execute(item: _Planned, again: Sequence[str]) -> None:
    """Make or go on with a run in a process of its own, whose memory and threads are its own.

    Args:
        item: The run.
        again: The command that goes on with the benchmark, for whoever stops it.

    Raises:
        BenchmarkError: It failed; it has said why.
        Interrupted: A signal stopped it.
    """
    caught: list[int] = []
    process = subprocess.Popen([sys.executable, "-m", "lam_agent.member", *item.words])

    def forward(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if number == signal.SIGTERM:  # Ctrl-C reaches the run by itself.
            process.send_signal(number)

    kept = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        status = process.wait()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    by = caught[0] if caught else status - 128  # Somebody may have stopped the run alone.
    if status and by in _SIGNALS:
        stop = Interrupted(by)
        stop.add_note(shlex.join(again))
        raise stop
    if status:
        raise BenchmarkError(
            f"the run {item.folder} ended with status {status}; mend what it says above and give "
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
