"""Steps a second without images: ours, the bare loop of mujoco.batch, Meta-World's own.

    python -m benchmarks.env_throughput [--worlds 64] [--repeats 5] [--json FILE]

The task is push with random actions. Resets are included: each contender resets all of its worlds
once in 200 steps. Meta-World's synchronous vector environment does 40 steps and is charged one
fifth of a reset, because a whole episode of it would take minutes. Its asynchronous one is left
out: 64 processes of it need more memory than the machines that this is for have.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import mujoco
import numpy as np
import torch
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.sawyer_xyz_env import SawyerMocapBase
from metaworld.types import Task as MetaWorldTask
from mujoco.batch import Batch

from benchmarks.timing import interleaved_rates, write_report
from lam_envs.batched import BatchedEnv
from lam_envs.scene import load_model
from lam_envs.tasks.registry import make_task

HORIZON = 200
METAWORLD_STEPS = 40
_TASK = "push"
_POSITIONS = int(mujoco.mjtStage.mjSTAGE_POS)


def _patch_welds(env: SawyerMocapBase) -> None:
    """Write the welds as Meta-World does, for MuJoCo versions whose rows have twelve numbers."""
    welds = env.model.eq_type == int(mujoco.mjtEq.mjEQ_WELD)
    env.model.eq_data[welds] = 0.0
    env.model.eq_data[welds, :11] = (0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5)


def _make_metaworld() -> gymnasium.Env:  # type: ignore[type-arg]
    SawyerMocapBase.reset_mocap_welds = _patch_welds
    kind = ALL_V3_ENVIRONMENTS[f"{_TASK}-v3"]
    env = kind()
    vector = make_task(_TASK).sample_reset_vectors([np.random.default_rng(0)])[0]
    content = {"env_cls": kind, "rand_vec": vector, "partially_observable": False}
    env.set_task(MetaWorldTask(env_name=f"{_TASK}-v3", data=pickle.dumps(content)))
    return env  # type: ignore[no-any-return]


def _ours(worlds: int) -> Callable[[], None]:
    env = BatchedEnv(_TASK, worlds, cameras=(), horizon=HORIZON)
    actions = torch.rand(HORIZON, worlds, 4) * 2 - 1

    def episode() -> None:
        env.reset(seeds=range(worlds))
        for step in range(HORIZON):
            env.step(actions[step])

    return episode


def _bare(worlds: int) -> Callable[[], None]:
    batch = Batch(load_model(make_task(_TASK).model_file), worlds, 0)
    mocap, ctrl = batch.bind("mocap_pos"), batch.bind("ctrl")
    batch.bind("xpos")
    # It starts where our environment starts, so that both simulate the same work.
    env = BatchedEnv(_TASK, worlds, cameras=())
    env.reset(seeds=range(worlds))
    start = env.sim.get_state().numpy()
    rng = np.random.default_rng(0)
    moves = rng.uniform(-0.01, 0.01, (HORIZON, worlds, 1, 3))
    efforts = rng.uniform(-1, 1, (HORIZON, worlds))

    def episode() -> None:
        batch.state[:] = start
        batch.forward(stage=_POSITIONS)
        for step in range(HORIZON):
            mocap[:] = np.clip(mocap + moves[step], (-0.5, 0.4, 0.05), (0.5, 1.0, 0.5))
            ctrl[:, 0], ctrl[:, 1] = efforts[step], -efforts[step]
            batch.step(nstep=5, stage=_POSITIONS)

    return episode


def _metaworld(envs: gymnasium.vector.VectorEnv, reset_s: float) -> Callable[[], None]:  # type: ignore[type-arg]
    actions = [envs.action_space.sample() for _ in range(METAWORLD_STEPS)]
    share = METAWORLD_STEPS / HORIZON

    def part() -> None:
        for action in actions:
            envs.step(action)
        time.sleep(reset_s * share)  # The share of a reset that these steps must pay for.

    return part


def _reset_seconds(envs: gymnasium.vector.VectorEnv) -> float:  # type: ignore[type-arg]
    start = time.perf_counter()
    envs.reset()
    return time.perf_counter() - start


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    default = Path(__file__).parent / "results" / "env_throughput.json"
    parser.add_argument("--json", type=Path, default=default)
    arguments = parser.parse_args()
    worlds = arguments.worlds
    makers = [_make_metaworld] * worlds
    sync = gymnasium.vector.SyncVectorEnv(makers)
    reset_s = _reset_seconds(sync)
    rates = interleaved_rates(
        {
            "lam_envs BatchedEnv": (_ours(worlds), HORIZON * worlds),
            "bare mujoco.batch loop": (_bare(worlds), HORIZON * worlds),
            "Meta-World SyncVectorEnv": (_metaworld(sync, reset_s), METAWORLD_STEPS * worlds),
        },
        arguments.repeats,
    )
    ours = rates["lam_envs BatchedEnv"]
    for name, rate in rates.items():
        print(f"{name:<28}{rate:>10,.0f} steps/s   ours is {ours / rate:.2f} times this")
    write_report(
        arguments.json,
        {
            "task": _TASK,
            "worlds": worlds,
            "repeats": arguments.repeats,
            "steps_per_second": rates,
            "ours_over": {name: ours / rate for name, rate in rates.items()},
            "metaworld_reset_s": reset_s,
        },
    )


if __name__ == "__main__":
    main()
