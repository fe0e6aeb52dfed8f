"""Environment steps a second of the warp engine, beside the bare loop of mujoco_warp.

    python -m benchmarks.engine_throughput [--device cuda] [--tasks push,pick-place,hammer]
        [--worlds 256,1024,4096,16384] [--steps 100] [--repeats 3] [--json FILE]

Medians of interleaved repeats in one run, and ratios to the bare loop, which is the limit: the same
graph of five physics steps and a refresh of poses, without actions, state, reward and checks.
Resets are not included; how long one of all worlds takes, and one of every eighth, stands beside.
`policy` looks with both cameras once in `execute_length` steps, as in evaluation; `policy, every
step` looks in each. Weights are random: they take as long as trained ones. Worlds that do not fit
into memory are told and left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import interleaved_rates, write_report
from lam_agent.config import PolicyConfig
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv
from lam_envs.errors import DeviceMemoryError, LamEnvsError
from lam_envs.tasks.sawyer import NUM_SUBSTEPS

SECONDS = ("first_start_s", "reset_s", "masked_reset_s")
CAMERAS = {"state": (), "front camera": ("front",), "both cameras": ("front", "wrist")}


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def bare(env: BatchedEnv, steps: int) -> Callable[[], None]:
    """Return the loop of the engine alone."""

    def call() -> None:
        for _ in range(steps):
            env.sim.step(num_substeps=NUM_SUBSTEPS, refresh=True)
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


def with_policy(env: BatchedEnv, steps: int, every: int) -> Callable[[], None]:
    """Return a policy that looks with both cameras once in `every` steps."""
    policy = VisualActionPolicy(PolicyConfig(init="none")).to(env.device).eval()
    bag = bag_of_words(env.task.instruction).to(env.device)

    def call() -> None:
        chunk = torch.empty(0)
        for step in range(steps):
            if step % every == 0:
                observation = {**env.images(), "proprioception": env.proprioception()}
                chunk = policy.plan(observation, bag)
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
    env = BatchedEnv(task, worlds, engine="warp", device=device)
    before = used_bytes(env.device)
    env.reset(seeds=range(worlds))
    env.step(torch.zeros(worlds, 4))
    env.images()
    synchronise(env.device)
    first_s = time.perf_counter() - start
    resets = {"reset_s": reset_seconds(env, 1, repeats)}
    resets["masked_reset_s"] = reset_seconds(env, 8, repeats)
    execute_length = PolicyConfig.execute_length
    calls = {"bare mujoco_warp": bare(env, steps)}
    calls |= {name: stepping(env, cameras, steps) for name, cameras in CAMERAS.items()}
    calls["policy"] = with_policy(env, steps, execute_length)
    calls["policy, every step"] = with_policy(env, steps, 1)
    rates = interleaved_rates(
        {name: (call, steps * worlds) for name, call in calls.items()}, repeats
    )
    env.check()
    return {
        "task": task,
        "worlds": worlds,
        "steps_per_second": rates,
        "of_the_bare_loop": {
            name: rate / rates["bare mujoco_warp"] for name, rate in rates.items()
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
                row = measure(task, worlds, asked.device, asked.steps, asked.repeats)
            except (torch.OutOfMemoryError, DeviceMemoryError, RuntimeError) as error:
                row = {"task": task, "worlds": worlds, "not_measured": str(error)}
            except LamEnvsError as error:  # No such device, or a driver that is too old.
                parser.error(str(error))
            rows.append(row)
            content = {"device": asked.device, "steps": asked.steps, "repeats": asked.repeats}
            if asked.device != "cpu":
                content["gpu"] = torch.cuda.get_device_name()
            write_report(asked.json, {**content, "rows": rows})
            print(f"\n{task}, {worlds} worlds")
            for name, rate in row.get("steps_per_second", {}).items():
                share = row["of_the_bare_loop"][name]
                print(f"  {name:<22}{rate:>12,.0f} steps/s {share:>8.2f} of the bare loop")
            for name in (*SECONDS, "memory_bytes", "not_measured"):
                if row.get(name) is not None:
                    print(f"  {name:<22}{row[name]}", flush=True)


if __name__ == "__main__":
    main()
