"""Milliseconds of the parts of a control step on the warp engine: of the program, and of all.

    python -m benchmarks.engine_parts [--device cuda] [--task push] [--worlds 100,4096]
        [--calls 20] [--json FILE]

`program` is how long Python needs to ask for the work, `all` until the device has done it. Where
both are alike, the device waits for the program, and fewer calls of torch help; where `all` is
longer, faster kernels do. `bare` is mujoco_warp alone, `engine` adds poses and notes on what broke,
`observe` commands and state, `outcome` is reward and success, `step` everything but pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_loop import bare_loop
from benchmarks.engine_throughput import synchronise
from benchmarks.timing import write_report
from lam_agent.config import PolicyConfig
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv
from lam_envs.scene import CAMERAS
from lam_envs.tasks.sawyer import NUM_SUBSTEPS


def parts_of(env: BatchedEnv) -> dict[str, Callable[[], object]]:
    """Return the parts by their names."""
    actions = torch.rand(env.num_envs, 4, device=env.device) * 2 - 1
    policy = VisualActionPolicy(PolicyConfig(init="none")).to(env.device).eval()
    bag = bag_of_words(env.task.instruction).to(env.device)
    observation = {**env.images(), "proprioception": env.proprioception()}
    front = CAMERAS[:1]
    return {
        "bare": bare_loop(env),
        "engine": lambda: env.sim.step(num_substeps=NUM_SUBSTEPS, refresh=True),
        "observe": lambda: env.worlds.step(actions),
        "outcome": lambda: env.task.evaluate(env.worlds, env.state, actions),
        "step": lambda: env.step(actions),
        "expert": env.expert_actions,
        "front camera": lambda: env.images(front),
        "both cameras": env.images,
        "bare, front camera": bare_loop(env, front),
        "bare, both cameras": bare_loop(env, CAMERAS),
        "policy": lambda: policy.plan(observation, bag),
    }


def milliseconds(call: Callable[[], object], calls: int, device: torch.device) -> dict[str, float]:
    """Return how long a call takes the program and in all."""
    for _ in range(3):  # The first compiles, the second captures.
        call()
    synchronise(device)
    start = time.perf_counter()
    for _ in range(calls):
        call()
    asked = time.perf_counter()
    synchronise(device)
    done = time.perf_counter()
    return {"program": (asked - start) / calls * 1e3, "all": (done - start) / calls * 1e3}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--task", default="push")
    parser.add_argument("--worlds", default="100,4096")
    parser.add_argument("--calls", type=int, default=20)
    default = Path(__file__).parent / "results" / "engine_parts.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for worlds in map(int, asked.worlds.split(",")):
        env = BatchedEnv(asked.task, worlds, engine="warp", device=asked.device, on_unstable="drop")
        env.reset(seeds=range(worlds))
        found: dict[str, dict[str, float]] = {}
        print(f"\n{asked.task}, {worlds} worlds{'program':>16} ms{'all':>12} ms")
        for name, call in parts_of(env).items():
            found[name] = milliseconds(call, asked.calls, env.device)
            print(
                f"  {name:<24}{found[name]['program']:>12.3f}{found[name]['all']:>15.3f}",
                flush=True,
            )
        env.check()
        rows.append({"task": asked.task, "worlds": worlds, "milliseconds": found})
        write_report(asked.json, {"device": asked.device, "calls": asked.calls, "rows": rows})


if __name__ == "__main__":
    main()
