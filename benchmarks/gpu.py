"""Everything that is to be measured on a GPU, in one command and one file.

    python -m benchmarks.gpu [--out gpu] [--seconds 600] [--only tests,throughput]

One after the other, each a process with a limit of its own: the tests that need a GPU, parity with
the native engine, the parts of a step, throughput, evaluation, and a run of the main command.
`gpu.json` in the folder holds what each of them wrote, how long it took, how it ended and the last
lines that it printed; it is written after each, so that a machine that is taken away takes only the
rest. What would not begin within the seconds is left out, which the file says.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import write_report

_TOLD_CHARACTERS = 6000
_LEAST_S = 20.0
"""Seconds that must be left for something to begin."""


@dataclass(frozen=True)
class Measurement:
    """A process that measures.

    Attributes:
        command: Its arguments; `{json}` stands for the file that it writes.
        limit_s: Seconds after which it is stopped.
    """

    command: str
    limit_s: float


MEASUREMENTS = {
    "tests": Measurement("-m pytest -q -n 0 -p no:cacheprovider tests/envs/test_gpu.py", 120),
    "parity": Measurement(
        "-m benchmarks.engine_parity --device {device} --tasks push,hammer --json {json}", 90
    ),
    "parts": Measurement("-m benchmarks.engine_parts --device {device} --json {json}", 90),
    "throughput": Measurement(
        "-m benchmarks.engine_throughput --device {device} --tasks push --json {json}", 200
    ),
    "evaluation": Measurement(
        "-m benchmarks.engine_evaluation --device {device} --json {json}", 150
    ),
    "run": Measurement(
        "-m lam_agent.run --task-stream reach,push --device {device} --output-dir {folder}", 200
    ),
    "more_throughput": Measurement(
        "-m benchmarks.engine_throughput --device {device} --tasks pick-place,hammer"
        " --worlds 4096 --json {json}",
        120,
    ),
    "more_parity": Measurement(
        "-m benchmarks.engine_parity --device {device} --episodes 100 --json {json}"
        " --tasks push-wall,faucet-close,push-back,stick-pull,handle-press-side,shelf-place,"
        "window-close,peg-unplug-side,reach,pick-place",
        200,
    ),
}


def measure(name: str, device: str, folder: Path, limit_s: float) -> dict[str, Any]:
    """Run one of the measurements.

    Args:
        name: Its name.
        device: Device.
        folder: Where it writes.
        limit_s: Seconds after which it is stopped.

    Returns:
        How it ended, how long it took, what it printed last, and what its file holds.
    """
    path, log = folder / f"{name}.json", folder / f"{name}.log"
    words = {"device": device, "json": path, "folder": folder / name}
    command = MEASUREMENTS[name].command.format(**words).split()
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        try:
            status: int | str = subprocess.run(
                [sys.executable, *command], stdout=file, stderr=file, timeout=limit_s, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            status = f"stopped after {limit_s:.0f} s"
    result = path if path.is_file() else folder / name / "results.json"
    return {
        "command": " ".join(["python", *command]),
        "status": status,
        "seconds": round(time.monotonic() - start, 1),
        "printed": log.read_text(encoding="utf-8", errors="replace")[-_TOLD_CHARACTERS:],
        "found": json.loads(result.read_text(encoding="utf-8")) if result.is_file() else None,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--only", default=",".join(MEASUREMENTS))
    asked = parser.parse_args(arguments)
    names = asked.only.split(",")
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(MEASUREMENTS)}.")
    asked.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + asked.seconds
    found: dict[str, Any] = {}
    for name in names:
        left = end - time.monotonic()
        if left < _LEAST_S:
            found[name] = {"status": "left out: no time was left"}
        else:
            limit = min(left, MEASUREMENTS[name].limit_s)
            found[name] = measure(name, asked.device, asked.out.resolve(), limit)
        write_report(asked.out / "gpu.json", {"device": asked.device, "measurements": found})
        print(f"== {name}: {found[name]['status']}, {found[name].get('seconds', 0)} s")
        print(found[name].get("printed", "")[-1500:], flush=True)


if __name__ == "__main__":
    main()
