"""Environment steps a second of the warp engine, beside the bare loop of mujoco_warp.

    python -m benchmarks.engine_throughput [--device cuda] [--tasks push,pick-place,hammer]
        [--worlds 256,1024,4096,16384] [--steps 100] [--repeats 3] [--json FILE]

Medians of interleaved repeats in one run, and ratios to the bare loop of the same cameras, which is
the limit: one graph of five steps of mujoco_warp and of its own renderer, without actions, state,
reward and checks. Steps are fewer where worlds are many.
Resets are not included; how long one of all worlds takes, and one of every eighth, stands beside.
`policy` looks with both cameras once in `execute_length` steps, as in evaluation; `policy, every
step` looks in each; `policy, front camera` looks with both, but only the front one is drawn anew.
Weights are random: they take as long as trained ones. Worlds that do not fit into memory are told
and left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_loop import bare_loop
from benchmarks.timing import interleaved_rates, write_report
from lam_agent.config import PolicyConfig
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv
from lam_envs.errors import DeviceMemoryError, LamEnvsError

SECONDS = ("first_start_s", "reset_s", "masked_reset_s")
CAMERAS = {"state": (), "front camera": ("front",), "both cameras": ("front", "wrist")}
LIMITS = {name: name for name in CAMERAS} | {
    "policy": "state",  # It looks in few of the steps.
    "policy, every step": "both cameras",
    "policy, front camera every step": "front camera",
}
"""What is measured -> the bare loop that is its limit."""

_MOST_WORLD_STEPS = 160_000
"""Steps of all worlds together in a timed call."""


def steps_of(worlds: int, most: int) -> int:
    """Return the steps of a call: fewer where worlds are many, as many as whole chunks take."""
    length = PolicyConfig.execute_length
    return min(most, max(_MOST_WORLD_STEPS // worlds // length, 2) * length)


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bare(env: BatchedEnv, cameras: tuple[str, ...], steps: int) -> Callable[[], None]:
    """Return the loop of mujoco_warp alone, with pictures by its own renderer."""
    loop = bare_loop(env, cameras)

    def call() -> None:
        for _ in range(steps):
            loop()
        synchronise(env.device)

    return call


def stepping(env: BatchedEnv, cameras: tuple[str, ...], steps: int) -> Callable[[], None]:
    """Return random actions, with a look of some cameras in every step."""
    actions = torch.rand(steps, env.num_envs, 4, device=env.device) * 2 - 1

    def call() -> None:
        for step in range(steps):
            env.step(actions[step])
            if cameras:
                env.images(cameras)
        synchronise(env.device)

    return call


def with_policy(
    env: BatchedEnv, cameras: tuple[str, ...], steps: int, every: int
) -> Callable[[], None]:
    """Return a policy that looks with some cameras once in `every` steps."""
    policy = VisualActionPolicy(PolicyConfig(init="none")).to(env.device).eval()
    bag = bag_of_words(env.task.instruction).to(env.device)
    old = env.images()

    def call() -> None:
        chunk = torch.empty(0)
        for step in range(steps):
            if step % every == 0:
                new = env.images(cameras)
                chunk = policy.plan({**old, **new, "proprioception": env.proprioception()}, bag)
            env.step(chunk[:, step % every])
        synchronise(env.device)

    return call


def reset_seconds(env: BatchedEnv, every: int, repeats: int) -> float:
    """Return how long a reset of every so many worlds takes, with its draws, median."""
    mask = torch.arange(env.num_envs) % every == 0
    seeds = range(int(mask.sum()))
    seconds = []
    for _ in range(repeats + 2):  # The first compiles, the second captures its graphs.
        start = time.perf_counter()
        env.reset(mask, seeds=seeds)
        synchronise(env.device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def used_bytes(device: torch.device) -> int | None:
    """Return the memory that is in use on a GPU, by torch and by Warp."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def measure(task: str, worlds: int, device: str, steps: int, repeats: int) -> dict[str, Any]:
    """Return rates, ratios, seconds and memory of a task with a number of worlds."""
    start = time.perf_counter()
    env = BatchedEnv(task, worlds, engine="warp", device=device, on_unstable="drop")
    before = used_bytes(env.device)
    env.reset(seeds=range(worlds))
    env.step(torch.zeros(worlds, 4))
    env.images()
    synchronise(env.device)
    first_s = time.perf_counter() - start
    resets = {"reset_s": reset_seconds(env, 1, repeats)}
    resets["masked_reset_s"] = reset_seconds(env, 8, repeats)
    front, both = CAMERAS["front camera"], CAMERAS["both cameras"]
    calls = {f"bare, {name}": bare(env, cameras, steps) for name, cameras in CAMERAS.items()}
    calls |= {name: stepping(env, cameras, steps) for name, cameras in CAMERAS.items()}
    calls["policy"] = with_policy(env, both, steps, PolicyConfig.execute_length)
    calls["policy, every step"] = with_policy(env, both, steps, 1)
    calls["policy, front camera every step"] = with_policy(env, front, steps, 1)
    rates = interleaved_rates(
        {name: (call, steps * worlds) for name, call in calls.items()}, repeats
    )
    env.check()
    return {
        "task": task,
        "worlds": worlds,
        "steps": steps,
        "steps_per_second": rates,
        "of_the_bare_loop": {
            name: rates[name] / rates[f"bare, {limit}"] for name, limit in LIMITS.items()
        },
        "first_start_s": first_s,
        **resets,
        "memory_bytes": None if before is None else used_bytes(env.device),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tasks", default="push,pick-place,hammer")
    parser.add_argument("--worlds", default="256,1024,4096,16384")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    default = Path(__file__).parent / "results" / "engine_throughput.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for task in asked.tasks.split(","):
        for worlds in map(int, asked.worlds.split(",")):
            try:
                steps = steps_of(worlds, asked.steps)
                row = measure(task, worlds, asked.device, steps, asked.repeats)
            except (torch.OutOfMemoryError, DeviceMemoryError, RuntimeError) as error:
                row = {"task": task, "worlds": worlds, "not_measured": str(error)}
            except LamEnvsError as error:  # No such device, or a driver that is too old.
                parser.error(str(error))
            rows.append(row)
            content = {"device": asked.device, "repeats": asked.repeats}
            if asked.device != "cpu":
                content["gpu"] = torch.cuda.get_device_name()
            write_report(asked.json, {**content, "rows": rows})
            print(f"\n{task}, {worlds} worlds")
            for name, rate in row.get("steps_per_second", {}).items():
                share = row["of_the_bare_loop"].get(name)
                told = "" if share is None else f" {share:>8.2f} of the bare loop"
                print(f"  {name:<32}{rate:>12,.0f} steps/s{told}")
            for name in (*SECONDS, "memory_bytes", "not_measured"):
                if row.get(name) is not None:
                    print(f"  {name:<32}{row[name]}", flush=True)


if __name__ == "__main__":
    main()
