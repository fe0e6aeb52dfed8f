"""How near the warp engine is to the native one: the same actions, then the experts' success.

    python -m benchmarks.engine_parity [--tasks push,hammer] [--episodes 32] [--device cpu]
        [--json FILE]

First both engines start alike, and their cameras look; told is the largest difference of a pixel's
level, and the share of levels that differ by more than one, as where rounding shows another geom.
Then both get the actions of the native engine's expert: told is by how
much `qpos` (metres and radians) differs after some steps, and for how many it does not by more than
1e-3; float32 and another order of constraints tell from the first contact on. Then the expert acts
in each engine by itself: told is its success, episode by episode. The file is written after every
task, and a call measures only tasks that it lacks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import write_report
from lam_envs.batched import BatchedEnv
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import task_names

STEPS = 200
TOLD_STEPS = (1, 10, 25, 50, 100, 200)
NEAR = 1e-3
"""Difference of `qpos` up to which both engines are in the same state, metres and radians."""


def same_pictures(native: BatchedEnv, warp: BatchedEnv) -> dict[str, float]:
    """Return how far the pictures of the same starts differ, in levels of 255."""
    for env in (native, warp):
        env.reset(seeds=range(env.num_envs))
    seen = warp.images(CAMERAS)
    differences = [
        (pictures.int() - seen[camera].cpu().int()).abs()
        for camera, pictures in native.images(CAMERAS).items()
    ]
    return {
        "most": max(int(difference.max()) for difference in differences),
        "share_over_one": sum(float((d > 1).double().mean()) for d in differences) / len(CAMERAS),
    }


def same_actions(native: BatchedEnv, warp: BatchedEnv) -> dict[str, Any]:
    """Return how far the engines part under the same actions."""
    seeds = range(native.num_envs)
    native.reset(seeds=seeds)
    warp.reset(seeds=seeds)
    errors = []
    for _ in range(STEPS):
        actions = native.expert_actions()
        native.step(actions)
        warp.step(actions)
        difference = warp.sim.field("qpos").cpu().double() - native.sim.field("qpos")
        errors.append(difference.abs().amax(1))
    error = torch.stack(errors)  # (STEPS, worlds)
    is_near = (error <= NEAR).to(torch.int64).cumprod(0).sum(0)  # Steps, (worlds,).
    return {
        "qpos_error": {str(step): float(error[step - 1].median()) for step in TOLD_STEPS},
        "steps_within_1e-3": {"least": int(is_near.min()), "median": int(is_near.median())},
    }


def expert_success(env: BatchedEnv) -> torch.Tensor:
    """Return which episodes the expert wins at any step, shape (worlds,), bool."""
    env.reset(seeds=range(env.num_envs))
    is_success = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    for _ in range(STEPS):
        is_success |= env.step(env.expert_actions()).is_success
    env.check()
    return is_success.cpu()


def measure(task: str, episodes: int, device: str) -> dict[str, Any]:
    """Return the figures of a task."""
    start = time.perf_counter()
    settings: dict[str, Any] = {"cameras": (), "horizon": STEPS, "on_unstable": "drop"}
    native = BatchedEnv(task, episodes, **settings)
    warp = BatchedEnv(task, episodes, engine="warp", device=device, **settings)
    row: dict[str, Any] = {
        "task": task,
        "episodes": episodes,
        "pictures": same_pictures(native, warp),
    }
    row |= same_actions(native, warp)
    expected, found = expert_success(native), expert_success(warp)
    return row | {
        "success_native": float(expected.float().mean()),
        "success_warp": float(found.float().mean()),
        "episodes_that_differ": int((expected != found).sum()),
        "wall_time_s": time.perf_counter() - start,
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(task_names()))
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    default = Path(__file__).parent / "results" / "engine_parity.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args(arguments)
    settings = {"device": asked.device, "steps": STEPS}
    rows: list[dict[str, Any]] = []
    if asked.json.is_file():
        kept = json.loads(asked.json.read_text(encoding="utf-8"))
        rows = kept["rows"] if {name: kept[name] for name in settings} == settings else []
    for task in asked.tasks.split(","):
        if any((row["task"], row["episodes"]) == (task, asked.episodes) for row in rows):
            continue
        row = measure(task, asked.episodes, asked.device)
        rows.append(row)
        write_report(asked.json, {**settings, "rows": rows})
        near, errors = row["steps_within_1e-3"], row["qpos_error"]
        print(
            f"{task:<26}within 1e-3 for {near['least']:>3} steps, median {near['median']:>3}; "
            f"error after 10 steps {errors['10']:.1e}; of the levels differ "
            f"{row['pictures']['share_over_one']:.1e}; success {row['success_native']:.2f} native, "
            f"{row['success_warp']:.2f} warp, {row['wall_time_s']:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
