"""Success after few demonstrations: from pretrained weights, from their encoders, from scratch.

    python -m benchmarks.few_shot --init CHECKPOINT [--tasks push,hammer] [--demonstrations 0,10,50]
        [--starts pretrained,memory,encoder,scratch] [--modes full,lora] [--json FILE] [--plot-only]

Every point is what `lam-agent run --task-stream TASK --strategy naive` measures on test episodes
that no demonstration starts from (`--strategy replay` where the start is `memory`); 0
demonstrations are its row before the stream. All points are
measured in one process by the command's own parts, because starting it would take longer than many
of them. Options that are not listed by `--help` are those of `lam-agent run`, such as
`--train.max-steps` or `--threads`.

The file is written after every point, and a call measures only points that it lacks. It holds the
settings and the digest of the weights; a call with others is refused.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from benchmarks.few_shot_plot import draw
from benchmarks.timing import write_report
from lam_agent import __version__
from lam_agent.checkpoint import fitted_sizes, resolve_checkpoint
from lam_agent.config import PolicyConfig, RunConfig, to_plain
from lam_agent.continual.batches import Frames
from lam_agent.continual.stream import make_benchmark
from lam_agent.demonstrations.load import load_demonstrations
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import ConfigError, LamAgentError, ResultsError
from lam_agent.files import file_digest
from lam_agent.interrupts import Interrupts
from lam_agent.metrics.intervals import wilson_interval
from lam_agent.run import parse
from lam_agent.running.folder import RunFolder
from lam_agent.running.runner import Runner
from lam_envs.errors import LamEnvsError
from lam_envs.streams.resolve import resolve_stream
from lam_envs.tasks.registry import make_task

Report = dict[str, Any]

MODES = {"pretrained": "trunk", "memory": "trunk", "encoder": "trunk", "scratch": "full"}
"""Start -> adaptation mode: `pretrained` begins with all weights, `memory` too, and replays the
frames that the checkpoint carries; `encoder` begins with the weights of the camera encoders;
`scratch` has random weights and the sizes of `--policy.init none`, which learn faster from nothing
than those of the pretrained policy."""

USUAL_STARTS = ("pretrained", "encoder", "scratch")
"""Starts that are measured where none are named."""

CURVES = ("push", "pick-place", "hammer", "door-open", "window-close", "stick-pull")
"""Tasks with a full curve by default."""

CURVE_COUNTS = (0, 1, 5, 10, 25, 50)
OTHER_COUNTS = (0, 10, 50)

NUM_COLLECTED = 50
"""Demonstrations that are collected of a task; a smaller number takes the first of them."""

_NO_SETTINGS = (
    *("task_stream", "strategy", "adapt", "demonstrations", "demonstrations_path"),
    *("output_dir", "device", "threads", "workers", "video", "logger", "references", "imports"),
)
"""Options of the command that are a point's own, or change no number."""


@dataclass(frozen=True)
class Point:
    """What is measured: a task from a start, in a mode, with a number of demonstrations."""

    task: str
    demonstrations: int
    start: str
    mode: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the points that the file lacks, then draw it."""
    parser = _parser()
    asked, others = parser.parse_known_args(arguments)
    try:
        if not asked.plot_only:
            measure(asked, parse(["--seed", str(asked.seed), *others]).settings)
        points = read_report(asked.json)["points"]
        print(f"Plot: {draw(points, means(points), asked.json.with_suffix('.svg'))}")
    except (LamAgentError, LamEnvsError) as error:
        parser.error(str(error))


def measure(asked: argparse.Namespace, base: RunConfig) -> None:
    """Measure what is asked for and not in the file yet.

    Args:
        asked: The options of this benchmark.
        base: The settings of all runs.
    """
    points = list(asked_points(asked))
    collected = max([NUM_COLLECTED, *(point.demonstrations for point in points)])
    if asked.init == "none":
        raise ConfigError("init is 'none'; name pretrained weights by --init.")
    pretrained = fitted_sizes(replace(base.policy, init=asked.init, init_part="all"))
    settings = settings_of(base, pretrained, collected)
    report: Report = {"settings": settings, "points": []}
    if asked.json.is_file():
        report = read_report(asked.json)
        check_settings(asked.json, report["settings"], settings)
    done = {_key(row) for row in report["points"]}
    missing = [point for point in points if point not in done]
    print(f"{len(points) - len(missing)} of {len(points)} points are in {asked.json}.", flush=True)
    demonstrations: dict[str, EpisodeSet] = {}
    for point in missing:
        config = replace(
            base,
            task_stream=(point.task,),
            strategy="replay" if point.start == "memory" else "naive",
            adapt=point.mode,
            demonstrations=max(point.demonstrations, 1),
            policy=_start_of(point.start, base.policy, pretrained),
        )
        if point.demonstrations and point.task not in demonstrations:
            whole = replace(config, demonstrations=collected)
            demonstrations = {point.task: load_demonstrations(point.task, whole)[0]}
        row = measure_point(point, config, demonstrations.get(point.task))
        report["points"].append(row)
        write_report(asked.json, {**report, "means": means(report["points"])})
        low, high = row["interval"]
        print(
            f"{point.task}, {point.demonstrations} demonstrations, {point.start} {point.mode}: "
            f"{row['success']:.2f} ({low:.2f} to {high:.2f}) in {row['adapt_s']:.0f} s",
            flush=True,
        )
    print_means(means(report["points"]))


def asked_points(asked: argparse.Namespace) -> Iterator[Point]:
    """Return the points that are asked for, task by task.

    Raises:
        ConfigError: A start is unknown, or a number of demonstrations is below 0.
    """
    for start in asked.starts:
        if start not in MODES:
            raise ConfigError(f"there is no start {start!r}; the starts are {', '.join(MODES)}.")
    if asked.demonstrations and min(asked.demonstrations) < 0:
        raise ConfigError(f"demonstrations is {min(asked.demonstrations)}; it must be 0 or more.")
    for task in dict.fromkeys(resolve_stream(asked.tasks)):
        usual = CURVE_COUNTS if task in CURVES else OTHER_COUNTS
        for count in asked.demonstrations or usual:
            for start in asked.starts:
                for mode in asked.modes or (MODES[start],):
                    yield Point(task, count, start, mode)


def _start_of(start: str, asked: PolicyConfig, pretrained: PolicyConfig) -> PolicyConfig:
    """Return the policy's configuration for a start."""
    if start == "scratch":
        size = pretrained.image_size  # All starts learn from the same pictures.
        return replace(asked, init="none", init_part="all", image_size=size)
    part: Literal["all", "encoders"] = "encoders" if start == "encoder" else "all"
    return replace(pretrained, init_part=part)


def measure_point(point: Point, config: RunConfig, episodes: EpisodeSet | None) -> Report:
    """Adapt to a task as the command does, and evaluate.

    Args:
        point: What is measured.
        config: The settings of the run.
        episodes: Demonstrations, of which the first are used; None where there are 0.
    """
    learning: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(config, RunFolder(Path(folder)), Console(quiet=True), Interrupts())
        if point.demonstrations:
            assert episodes is not None
            used = episodes.first(min(point.demonstrations, episodes.num_episodes))
            instruction = make_task(point.task).instruction
            frames = Frames.from_episodes(used, instruction, config.policy.chunk_length)
            runner.adaptation.fill({0: frames}, 0)
            runner.remember()
            (experience,) = make_benchmark([frames]).train_stream
            runner.adaptation.adapt(experience)
            learning = runner.record.learning[0]
        result = runner.rows.evaluate(runner.policy, point.task)
    successes, count = int(result.is_success.sum()), len(result.is_success)
    return {
        **vars(point),
        "success": successes / count,
        "interval": list(wilson_interval(successes, count)),
        "success_at_end": float(result.is_success_at_end.float().mean()),
        "episodes": count,
        "learning": learning,
        "adapt_s": runner.record.seconds["adapt"],
        "encode_s": runner.record.seconds["encode"],
        "trained_parameters": runner.policy.num_parameters(trainable=True) if learning else 0,
        "total_parameters": runner.policy.num_parameters(trainable=False),
        "threads": torch.get_num_threads(),
    }


def settings_of(base: RunConfig, pretrained: PolicyConfig, collected: int) -> Report:
    """Return all that shapes the numbers beside a point's own options, as JSON holds it."""
    plain = to_plain(replace(base, policy=pretrained))
    for name in _NO_SETTINGS:
        del plain[name]
    del plain["policy"]["init"], plain["policy"]["init_part"], plain["collect"]["cache_dir"]
    weights = resolve_checkpoint(Path(pretrained.init)) / "model.safetensors"
    content = {
        "init": Path(pretrained.init).name,
        "weights_sha256": file_digest(weights),
        "version": __version__,
        "collected_demonstrations": collected,
        "split": "test",
        **plain,
    }
    copy: Report = json.loads(json.dumps(content))
    return copy


def check_settings(path: Path, kept: Report, now: Report, name: str = "") -> None:
    """Refuse to put points of other settings into a file.

    Raises:
        ResultsError: Naming the first setting that differs.
    """
    for key in dict.fromkeys((*kept, *now)):
        before, after = kept.get(key), now.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            check_settings(path, before, after, f"{name}{key}.")
        elif before != after:
            raise ResultsError(
                f"{path} was measured with {name}{key} {before!r}, but now it is {after!r}; name "
                "another file by --json, or set it back."
            )


def read_report(path: Path) -> Report:
    """Read what was measured.

    Raises:
        ResultsError: The file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {"settings": content["settings"], "points": content["points"]}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResultsError(
            f"{path} holds no points of this benchmark ({error!r}); name another file by --json."
        ) from error


def means(points: Sequence[Report]) -> list[Report]:
    """Return the mean over tasks for each start, mode and number of demonstrations.

    The interval is Wilson's over all their episodes: it tells of other episodes of these tasks, not
    of other tasks.
    """
    groups: dict[tuple[str, str, int], list[Report]] = {}
    for row in points:
        groups.setdefault((row["start"], row["mode"], row["demonstrations"]), []).append(row)
    rows = []
    for (start, mode, count), group in sorted(groups.items()):
        episodes = sum(row["episodes"] for row in group)
        successes = sum(round(row["success"] * row["episodes"]) for row in group)
        rows.append(
            {
                "start": start,
                "mode": mode,
                "demonstrations": count,
                "tasks": len(group),
                "success": successes / episodes,
                "interval": list(wilson_interval(successes, episodes)),
                "adapt_s": sum(row["adapt_s"] for row in group) / len(group),
                "trained_parameters": group[0]["trained_parameters"],
                "total_parameters": group[0]["total_parameters"],
            }
        )
    return rows


def print_means(rows: Sequence[Report]) -> None:
    """Print the means as a table."""
    print("| start | mode | demonstrations | tasks | success | seconds | trained parameters |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        low, high = row["interval"]
        cells = [row["start"], row["mode"], str(row["demonstrations"]), str(row["tasks"])]
        cells += [f"{row['success']:.2f} ({low:.2f} to {high:.2f})", f"{row['adapt_s']:.0f}"]
        print(f"| {' | '.join(cells)} | {row['trained_parameters']:,} |")


def _key(row: Report) -> Point:
    """Return which point a row of the file is."""
    return Point(row["task"], row["demonstrations"], row["start"], row["mode"])


def _parser() -> argparse.ArgumentParser:
    def words(text: str) -> tuple[str, ...]:
        return tuple(word for word in text.split(",") if word)

    def counts(text: str) -> tuple[int, ...]:
        return tuple(int(word) for word in words(text))

    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
    )
    weights = "weights, as --policy.init names them"
    parser.add_argument("--init", default=PolicyConfig.init, help=weights)
    parser.add_argument("--tasks", type=words, default=("cw10", "mt10"), help="or named streams")
    parser.add_argument("--demonstrations", type=counts, help="numbers for every task")
    parser.add_argument("--starts", type=words, default=USUAL_STARTS)
    parser.add_argument("--modes", type=words, help="adaptation modes of every start")
    parser.add_argument("--seed", type=int, default=0)
    default = Path(__file__).parent / "results" / "few_shot.json"
    parser.add_argument("--json", type=Path, default=default)
    parser.add_argument("--plot-only", action="store_true", help="draw the file, measure nothing")
    return parser


if __name__ == "__main__":
    main()
