"""Images a second of the cameras on each task, and their mean over CW10.

python -m benchmarks.cameras [--tasks push hammer ...] [--worlds 64] [--repeats 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks.timing import interleaved_rates, write_report
from lam_envs.batched import BatchedEnv
from lam_envs.names import STREAMS
from lam_envs.tasks.registry import task_names

_CALLS = 3


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    streams = dict.fromkeys((*STREAMS["cw10"], *STREAMS["mt10"]))
    parser.add_argument(
        "--tasks", nargs="+", choices=task_names(), metavar="TASK", default=list(streams)
    )
    parser.add_argument("--worlds", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    default = Path(__file__).parent / "results" / "cameras.json"
    parser.add_argument("--json", type=Path, default=default)
    arguments = parser.parse_args()
    contenders = {}
    for task in arguments.tasks:
        env = BatchedEnv(task, arguments.worlds)
        env.reset(seeds=range(arguments.worlds))
        for _ in range(30):
            env.step(env.expert_actions())

        def render(env: BatchedEnv = env) -> None:
            for _ in range(_CALLS):
                env.images()

        contenders[task] = (render, _CALLS * arguments.worlds * len(env.cameras))
    rates = interleaved_rates(contenders, arguments.repeats)
    for task, rate in rates.items():
        print(f"{task:<20}{rate:>8,.0f} images/s at 64x64")
    report = {"worlds": arguments.worlds, "image_size": 64, "images_per_second": rates}
    if rates.keys() >= set(STREAMS["cw10"]):
        report["cw10_mean"] = statistics.fmean(rates[task] for task in STREAMS["cw10"])
        print(f"{'mean over CW10':<20}{report['cw10_mean']:>8,.0f} images/s at 64x64")
    write_report(arguments.json, report)


if __name__ == "__main__":
    main()
