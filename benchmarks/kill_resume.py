"""Exact resume, measured: runs that are killed at random moments.

    python -m benchmarks.kill_resume [--kills 20] [--seed 0] [--json FILE]

An unbroken run is made once. Then each trial runs the same command, kills the process with SIGKILL
at a random moment, once to three times, lets it go on with `--resume`, and compares results,
weights, log and training state bit for bit; wall times and memory excepted.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import write_report
from lam_agent.continual.snapshot import load_snapshot

_SETTINGS = {
    "task-stream": "reach,push",
    "strategy": "replay",
    "demonstrations": "16",
    "eval.episodes": "8",
    "eval.validation-episodes": "4",
    "eval.horizon": "60",
    "train.max-steps": "60",
    "train.validate-every": "20",
    "train.save-every": "5",
    "train.batch-size": "16",
    "replay.memory-mb": "4",
    "threads": "1",
}
_FLAGS = ("collect.keep-failures",)  # 60 steps are too few for a success.


def run_command(*arguments: str) -> list[str]:
    """Return the command of a run."""
    return [sys.executable, "-m", "lam_agent.run", *arguments]


def content(folder: Path) -> dict[str, Any]:
    """Return all of a run that must not depend on interruptions."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    del results["sha256"], results["cost"]["wall_time_s"], results["cost"]["peak_memory_mb"]
    found: dict[str, Any] = {
        "results.json": results,
        "metrics.jsonl": (folder / "metrics.jsonl").read_bytes(),
    }
    checkpoints = (path for path in (folder / "checkpoints").iterdir() if not path.is_symlink())
    for path in sorted(checkpoints):
        model = path / "pretrained_model" / "model.safetensors"
        found[f"{path.name} policy"] = model.read_bytes()
    snapshot = load_snapshot(path)  # Of the last one, where a longer stream goes on.
    tensors = snapshot.tensors if snapshot else {}
    found[f"{path.name} state"] = {k: v.numpy().tobytes() for k, v in tensors.items()}
    return found


def killed(command: list[str], seconds: float) -> bool:
    """Run a command and kill it after some time; say whether it was still running."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == -signal.SIGKILL


def trial(number: int, work: Path, arguments: list[str], duration: float) -> dict[str, Any]:
    """Kill a run at random moments and let it end.

    Returns:
        The moments in seconds after each start, and the folder.
    """
    choice = random.Random(number)
    folder = work / f"trial_{number}"
    moments = []
    command = run_command(*arguments, "--output-dir", str(folder))
    for _ in range(choice.randint(1, 3)):
        moment = choice.uniform(0.0, duration)
        if not killed(command, moment):
            break
        moments.append(round(moment, 2))
        if (folder / "config.yaml").exists():
            command = run_command("--resume", str(folder))
    if not (folder / "results.json").exists() or not _is_finished(folder):
        if (folder / "config.yaml").exists():
            command = run_command("--resume", str(folder))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"moments_s": moments, "folder": folder}


def _is_finished(folder: Path) -> bool:
    return bool(json.loads((folder / "results.json").read_text(encoding="utf-8"))["finished"])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="trials")
    parser.add_argument("--seed", type=int, default=0)
    default = Path(__file__).parent / "results" / "kill_resume.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        settings = [word for flag, value in _SETTINGS.items() for word in (f"--{flag}", value)]
        settings += [f"--{flag}" for flag in _FLAGS]
        settings += ["--collect.cache-dir", str(work / "cache")]
        unbroken = work / "unbroken"
        subprocess.run(
            run_command(*settings, "--output-dir", str(work / "warm")),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        start = time.monotonic()
        subprocess.run(
            run_command(*settings, "--output-dir", str(unbroken)),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        duration = time.monotonic() - start
        expected = content(unbroken)
        trials = []
        for number in range(asked.seed, asked.seed + asked.kills):
            done = trial(number, work, settings, duration)
            found = content(done.pop("folder"))
            differs = [key for key in expected if found.get(key) != expected[key]]
            trials.append({**done, "is_equal": not differs, "differs": differs})
            print(json.dumps(trials[-1]), flush=True)
        equal = sum(entry["is_equal"] for entry in trials)
        kills = sum(len(entry["moments_s"]) for entry in trials)
        print(f"{equal} of {len(trials)} runs ended alike after {kills} kills")
        write_report(
            asked.json,
            {
                "equal": equal,
                "trials": len(trials),
                "kills": kills,
                "unbroken_s": round(duration, 1),
                "settings": {**_SETTINGS, **dict.fromkeys(_FLAGS, True)},
                "each": trials,
            },
        )


if __name__ == "__main__":
    main()
