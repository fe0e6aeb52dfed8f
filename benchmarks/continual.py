"""The main job, measured: strategies on a task stream, each as a user runs it.

    python -m benchmarks.continual [--runs replay:0,replay:1,replay:2,naive:0,ewc:0,cumulative:0]
    python -m benchmarks.continual --task-stream cw10 --runs replay:0
    python -m benchmarks.continual --init none --demonstrations 300

Each run is a process of its own with the README's command. The first run of a seed collects its
demonstrations; later runs with the same seed find them in the cache, and `collected` says which.
Writes one json for each run and a summary into `benchmarks/results/`; those of random initial
weights have `scratch` in their names.
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

RESULTS = Path(__file__).parent / "results"
DEFAULT_RUNS = "replay:0,naive:0,ewc:0,cumulative:0,replay:1,replay:2"


def run_once(
    stream: str, strategy: str, seed: int, cache: Path, work: Path, extra: list[str]
) -> dict[str, Any]:
    """Run the main command and return its results with the command's own wall time.

    Args:
        stream: Tasks, separated by commas.
        strategy: Strategy.
        seed: Seed.
        cache: Cache of demonstrations.
        work: Folder for run folders.
        extra: More arguments of the command.
    """
    output = work / f"{stream.replace(',', '-')}_{strategy}_{seed}"
    shown = ["-m", "lam_agent.run", "--task-stream", stream]
    shown += ["--strategy", strategy, "--seed", str(seed), *extra]
    folders = ["--output-dir", str(output), "--collect.cache-dir", str(cache)]
    collected = not any(cache.rglob("*.safetensors"))
    start = time.monotonic()
    subprocess.run([sys.executable, *shown, *folders], check=True)
    seconds = time.monotonic() - start
    results: dict[str, Any] = json.loads((output / "results.json").read_text(encoding="utf-8"))
    results["environment"] = json.loads((output / "environment.json").read_text(encoding="utf-8"))
    results["command"] = " ".join(["python", *shown])
    results["command_wall_time_s"] = round(seconds, 1)
    results["collected"] = collected
    return results


def summarise(results: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one run that the summary holds."""
    return {
        "strategy": results["strategy"],
        "seed": results["seed"],
        "success": results["success"],
        "average_success": results["metrics"]["average_success"],
        "forgetting": results["metrics"]["forgetting"],
        "command_wall_time_s": results["command_wall_time_s"],
        "collected": results["collected"],
        "threads": results["environment"]["threads"],
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
    parser.add_argument("--init", help="weights, as --policy.init names them; default: lam-tiny")
    parser.add_argument("--threads", type=int, help="CPU threads of each run; default: all cores")
    parser.add_argument("--cache", type=Path, help="keep demonstrations here between calls")
    arguments = parser.parse_args()
    extra = ["--threads", str(arguments.threads)] if arguments.threads else []
    if arguments.demonstrations:
        extra += ["--demonstrations", str(arguments.demonstrations)]
    RESULTS.mkdir(exist_ok=True)
    name = arguments.task_stream.replace(",", "-")
    if arguments.init:
        extra += ["--policy.init", arguments.init]
        name += "_scratch" if arguments.init == "none" else f"_{Path(arguments.init).name}"
    with tempfile.TemporaryDirectory() as folder:
        for run in arguments.runs.split(","):
            strategy, _, seed = run.partition(":")
            cache = (arguments.cache or Path(folder)) / f"cache_{seed}"
            cache.mkdir(parents=True, exist_ok=True)
            results = run_once(
                arguments.task_stream, strategy, int(seed), cache, Path(folder), extra
            )
            path = RESULTS / f"continual_{name}_{strategy}_seed{seed}.json"
            path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            print(json.dumps(summarise(results)), flush=True)
    rows = [
        summarise(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(RESULTS.glob(f"continual_{name}_*_seed*.json"))
        if arguments.init or "_scratch_" not in path.name
    ]
    summary = RESULTS / f"continual_{name}.json"
    summary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
