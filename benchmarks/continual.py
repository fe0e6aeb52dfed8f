"""The main job, measured: strategies on a task stream, each as a user runs it.

    python -m benchmarks.continual [--runs replay:0,replay:1,replay:2,naive:0,ewc:0,cumulative:0]
    python -m benchmarks.continual --task-stream cw10 --runs replay:0,ewc:0 --references
    python -m benchmarks.continual --init none --demonstrations 300
    python -m benchmarks.continual --runs replay:0 --label bare --pretraining.demonstrations 0

Each run is a process of its own with the README's command. The first run of a seed collects its
demonstrations; later runs with the same seed find them in the cache, and `collected` says which.
With `--references` the first one also makes the reference runs (each task alone, all jointly,
naive), whose bounds stand in every result of the seed; `command_wall_time_s` includes them. Other
options are the command's; a label tells the results of such runs from those with the defaults.
Writes one json for each run and a summary into `benchmarks/results/`, named after the stream and
the initial weights; `scratch` are random ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lam_agent.config import PolicyConfig

RESULTS = Path(__file__).parent / "results"
DEFAULT_RUNS = "replay:0,naive:0,ewc:0,cumulative:0,replay:1,replay:2"


def run_once(
    stream: str, init: str, strategy: str, seed: int, cache: Path, work: Path, extra: list[str]
) -> dict[str, Any]:
    """Run the main command and return its results with the command's own wall time.

    Args:
        stream: Tasks, separated by commas.
        init: Initial weights, as `--policy.init` names them.
        strategy: Strategy.
        seed: Seed.
        cache: Cache of demonstrations.
        work: Folder for run folders.
        extra: More arguments of the command.
    """
    output = work / f"{stream.replace(',', '-')}_{strategy}_{seed}"
    shown = ["-m", "lam_agent.run", "--task-stream", stream]
    shown += ["--strategy", strategy, "--seed", str(seed), *extra]
    if init != PolicyConfig.init:
        shown += ["--policy.init", init]
    folders = ["--output-dir", str(output), "--collect.cache-dir", str(cache)]
    collected = not any(cache.rglob("*.safetensors"))
    start = time.monotonic()
    subprocess.run([sys.executable, *shown, *folders], check=True)
    seconds = time.monotonic() - start
    results: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    results["environment"] = json.loads((output / "environment.json").read_text(encoding="utf-8"))
    results["init"] = init_name(init)
    results["command"] = " ".join(["python", *shown])
    results["command_wall_time_s"] = round(seconds, 1)
    results["collected"] = collected
    return results


def init_name(init: str) -> str:
    """Return what initial weights are called in results and file names."""
    return "scratch" if init == "none" else Path(init).name


def summarise(results: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one run that the summary holds."""
    return {
        "init": results["init"],
        "strategy": results["strategy"],
        "label": results.get("label", ""),
        "seed": results["seed"],
        "success": results["success"],
        "average_success": results["metrics"]["average_success"],
        "forgetting": results["metrics"]["forgetting"],
        "learning_speed_transfer": results["metrics"].get("learning_speed_transfer"),
        "pretraining_before": results["metrics"].get("pretraining_before"),
        "pretraining_after": results["metrics"].get("pretraining_after"),
        "references": results.get("references"),
        "command_wall_time_s": results["command_wall_time_s"],
        "collected": results["collected"],
        "threads": results["environment"]["threads"],
        "workers": results["environment"].get("workers", 0),
        "demonstrations": results["protocol"]["demonstrations"],
        "wall_time_s": results["cost"]["wall_time_s"],
        "peak_memory_mb": round(results["cost"]["peak_memory_mb"]),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-stream", default="reach,push")
    parser.add_argument("--runs", default=DEFAULT_RUNS, help="strategy:seed, separated by commas")
    parser.add_argument("--demonstrations", type=int, help="for each task; default: the command's")
    parser.add_argument("--init", default=PolicyConfig.init, help="as --policy.init names them")
    parser.add_argument("--threads", type=int, help="CPU threads of each run; default: all cores")
    parser.add_argument("--cache", type=Path, help="keep demonstrations here between calls")
    parser.add_argument("--references", action="store_true", help="the command's --references")
    parser.add_argument("--label", default="", help="another name for runs with other options")
    arguments, extra = parser.parse_known_args()
    if extra and not arguments.label:
        parser.error(f"{extra[0]} makes other runs than the defaults; name them by --label")
    if arguments.threads:
        extra += ["--threads", str(arguments.threads)]
    if arguments.demonstrations:
        extra += ["--demonstrations", str(arguments.demonstrations)]
    if arguments.references:
        extra.append("--references")
    RESULTS.mkdir(exist_ok=True)
    init = init_name(arguments.init)
    name = f"{arguments.task_stream.replace(',', '-')}_{init}"
    with tempfile.TemporaryDirectory() as folder:
        for run in arguments.runs.split(","):
            strategy, _, seed = run.partition(":")
            cache = (arguments.cache or Path(folder)) / f"cache_{seed}"
            cache.mkdir(parents=True, exist_ok=True)
            results = run_once(
                arguments.task_stream,
                arguments.init,
                strategy,
                int(seed),
                cache,
                Path(folder),
                extra,
            )
            results["label"] = arguments.label
            label = f"_{arguments.label}" if arguments.label else ""
            path = RESULTS / f"continual_{name}_{strategy}{label}_seed{seed}.json"
            path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            print(json.dumps(summarise(results)), flush=True)
    kept = sorted(RESULTS.glob(f"continual_{name}_*_seed*.json"))
    measured = [json.loads(path.read_text(encoding="utf-8")) for path in kept]
    # Another name of weights may begin with this one.
    rows = [summarise(results) for results in measured if results["init"] == init]
    summary = RESULTS / f"continual_{name}.json"
    summary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
