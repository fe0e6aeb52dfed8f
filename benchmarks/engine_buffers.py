"""How much room for contacts and constraint rows a world needs on the warp engine, task by task.

    python -m benchmarks.engine_buffers [--tasks push,hammer] [--worlds 16] [--device cpu]

Three rollouts of 200 control steps a task: the teacher, smooth random actions, and the teacher with
as much noise. Told is the most that a world needed at the end of a control step, while there was
room for 200 contacts and 800 rows. It is written after every task to the file of the package from
which the engine takes the room that it sets aside, twice as much; a call measures only tasks that
the file lacks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from unittest import mock

import torch

import lam_envs.sim.buffers
from benchmarks.timing import write_report
from lam_envs.batched import BatchedEnv
from lam_envs.sim.buffers import Room
from lam_envs.sim.warp import WarpSim
from lam_envs.tasks.registry import task_names

STEPS = 200
PLENTY = Room(200, 800)
_KEPT, _DRAWN = 0.9, 0.3
"""Smooth random actions keep this much of the last, and add this much of a uniform draw."""


def rollouts(env: BatchedEnv) -> Iterator[None]:
    """Act in three ways; yield after each control step."""
    generator = torch.Generator().manual_seed(0)
    for teacher, noise in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        env.reset(seeds=range(env.num_envs))
        wander = torch.zeros(env.num_envs, 4)
        for _ in range(STEPS):
            drawn = 2.0 * torch.rand(env.num_envs, 4, generator=generator) - 1.0
            wander = _KEPT * wander + _DRAWN * drawn
            actions = teacher * env.expert_actions() + noise * wander.to(env.device)
            env.step(actions.clamp(-1.0, 1.0).float())
            yield


def measure(task: str, worlds: int, device: str) -> Room:
    """Return the most that a world of a task needed."""
    with mock.patch.object(lam_envs.batched, "room_of", lambda task: PLENTY):
        env = BatchedEnv(
            *(task, worlds), cameras=(), engine="warp", device=device, on_unstable="drop"
        )
    assert isinstance(env.sim, WarpSim)
    used = []
    for _ in rollouts(env):
        used.append(env.sim.used_room())
    return Room(max(room.contacts for room in used), max(room.constraints for room in used))


def main() -> None:
    """Measure the tasks that the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(task_names()))
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    default = Path(lam_envs.sim.buffers.__file__).with_name("buffers.json")
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args()
    tasks = {}
    if asked.json.is_file():
        tasks = json.loads(asked.json.read_text(encoding="utf-8"))["tasks"]
    for task in asked.tasks.split(","):
        if task not in tasks:
            tasks[task] = asdict(measure(task, asked.worlds, asked.device))
            content = {"worlds": asked.worlds, "steps": STEPS, "device": asked.device}
            write_report(asked.json, {**content, "tasks": tasks})
            print(task, tasks[task], flush=True)


if __name__ == "__main__":
    main()
