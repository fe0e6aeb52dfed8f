"""Seconds that it takes to evaluate a policy on a stream of tasks, all episodes of a task at once.

    python -m benchmarks.engine_evaluation [--device cuda] [--engine auto] [--init lam-tiny]
        [--tasks cw10] [--episodes 100] [--json FILE]

Every task is evaluated twice, on the same test starts: the first time kernels are compiled, graphs
captured and renderers made; the second is what an evaluation takes from then on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import write_report
from lam_agent.checkpoint import load_pretrained
from lam_agent.config import SimConfig
from lam_agent.errors import LamAgentError
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.system import resolve_device, simulation_on
from lam_envs.errors import LamEnvsError
from lam_envs.streams.resolve import resolve_stream


def measure(asked: argparse.Namespace) -> None:
    """Evaluate all tasks, twice each, and write the file.

    Args:
        asked: The options of this benchmark.
    """
    policy, _ = load_pretrained(asked.init, resolve_device(asked.device))
    engine, device = simulation_on(asked.engine, str(policy.device))
    rows: list[dict[str, Any]] = []
    for task in resolve_stream(asked.tasks.split(",")):
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            found = evaluate(
                policy,
                task,
                episodes=asked.episodes,
                split="test",
                horizon=200,
                sim=SimConfig(engine=engine),
            )
            seconds.append(time.perf_counter() - start)
        first_s, again_s = seconds
        rows.append(
            {"task": task, "success": found.success_rate, "first_s": first_s, "again_s": again_s}
        )
        print(f"{task}: {first_s:.1f} s at first, then {again_s:.1f} s", flush=True)
    total_s = sum(row["again_s"] for row in rows)
    print(f"All {len(rows)} tasks, {asked.episodes} episodes each: {total_s:.1f} s")
    settings = {"init": asked.init, "episodes": asked.episodes, "engine": engine, "device": device}
    write_report(asked.json, {**settings, "total_s": total_s, "rows": rows})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--engine", default="auto", choices=("auto", "native", "warp"))
    parser.add_argument("--init", default="lam-tiny", help="weights, as --policy.init names them")
    parser.add_argument("--tasks", default="cw10")
    parser.add_argument("--episodes", type=int, default=100)
    default = Path(__file__).parent / "results" / "engine_evaluation.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args(arguments)
    try:
        measure(asked)
    except (LamAgentError, LamEnvsError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
