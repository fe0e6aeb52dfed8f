"""Environment steps a second: ours beside its limits and beside what others offer.

    python -m benchmarks.throughput [--tasks push,pick-place,hammer] [--worlds 1,16,64,256]
                                    [--repeats 5] [--json FILE]

Medians of interleaved repeats in one run, as ratios. Resets are included, one in 200 steps. The
contenders with images look with two 64x64 cameras in every step. `bare mujoco.batch` and `bare
cameras` are the limits of this design. EnvPool (`pip install envpool`) and software GL (Debian's
`libosmesa6`) are measured where they are installed; the table says what was not available. Memory
is that of a process with all worlds and cameras.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import contenders
from benchmarks.timing import interleaved_rates, write_report

STATE = {
    "lam_envs": contenders.ours,
    "bare mujoco.batch": contenders.bare_loop,
    "Meta-World sync": contenders.metaworld_sync,
    "Meta-World async": contenders.metaworld_async,
    "EnvPool": contenders.envpool,
}
IMAGES = {
    "lam_envs, images": contenders.ours_with_images,
    "bare cameras": contenders.bare_cameras,
    "Meta-World, images": contenders.metaworld_images,
}

_MEMORY_SCRIPT = """
import re, sys
from pathlib import Path
from lam_envs.batched import BatchedEnv
env = BatchedEnv(sys.argv[1], int(sys.argv[2]))
env.reset(seeds=range(env.num_envs))
for _ in range(5):
    env.step(env.expert_actions())
    env.images()
# Not getrusage: a child begins with its parent's peak.
status = Path("/proc/self/status").read_text()
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]))
"""


def measure(task: str, worlds: int, repeats: int) -> tuple[dict[str, float], dict[str, str]]:
    """Return steps a second by contender, and why the others were not available."""
    calls: dict[str, contenders.Contender] = {}
    missing = {}
    for name, make in {**STATE, **IMAGES}.items():
        try:
            calls[name] = make(task, worlds)
        except contenders.NotAvailableError as error:
            missing[name] = str(error)
    rates = interleaved_rates(calls, repeats)
    calls.clear()
    gc.collect()
    return rates, missing


def memory_bytes(task: str, worlds: int) -> int:
    """Return the largest resident size of a process with all worlds and cameras."""
    command = [sys.executable, "-c", _MEMORY_SCRIPT, task, str(worlds)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """Return our rate over that of each other contender of the same kind."""
    found = {}
    for group in (STATE, IMAGES):
        own, *others = group
        found |= {f"{own} / {name}": rates[own] / rates[name] for name in others if name in rates}
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default="push,pick-place,hammer")
    parser.add_argument("--worlds", default="1,16,64,256")
    parser.add_argument("--repeats", type=int, default=5)
    default = Path(__file__).parent / "results" / "throughput.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for task in asked.tasks.split(","):
        for worlds in map(int, asked.worlds.split(",")):
            rates, missing = measure(task, worlds, asked.repeats)
            rows.append(
                {
                    "task": task,
                    "worlds": worlds,
                    "steps_per_second": rates,
                    "ratios": ratios(rates),
                    "not_available": missing,
                }
            )
            print(f"\n{task}, {worlds} worlds")
            for name, rate in rates.items():
                print(f"  {name:<22}{rate:>12,.0f} steps/s")
            for name, value in rows[-1]["ratios"].items():
                print(f"  {name:<42}{value:>8.2f}")
            for name, reason in missing.items():
                print(f"  {name:<22} not available: {reason}", flush=True)
    task = asked.tasks.split(",")[0]
    memory = {str(worlds): memory_bytes(task, worlds) for worlds in (1, 64, 128, 256)}
    for worlds, size in memory.items():
        print(f"memory of {task} with {worlds} worlds: {size / 1e6:,.0f} MB")
    write_report(
        asked.json,
        {
            "horizon": contenders.HORIZON,
            "repeats": asked.repeats,
            "rows": rows,
            "memory_bytes": {"task": task, "worlds": memory},
        },
    )


if __name__ == "__main__":
    main()
