"""Success of the scripted experts: in our environments and in Meta-World's own, same starts.

    python -m benchmarks.expert_success [--starts 100] [--horizon 200] [--tasks push,hammer]
        [--json FILE] [--resume]

Both get the same reset vectors, as many for each task, and play Meta-World's expert (ours in torch,
theirs from `metaworld.policies`) until its first success, or until the horizon. A task that
Meta-World does not have is measured in ours only.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import torch
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP
from metaworld.sawyer_xyz_env import SawyerMocapBase
from metaworld.types import Task as MetaWorldTask

from benchmarks.timing import write_report
from lam_envs.batched import BatchedEnv
from lam_envs.tasks.registry import make_task, task_names

MARGIN = 0.03
"""Success rates that differ by no more than this count as equal."""

_SEED = 2026


def _patch_welds(env: SawyerMocapBase) -> None:
    """Write the welds as Meta-World does, for MuJoCo versions whose rows have twelve numbers."""
    welds = env.model.eq_type == int(mujoco.mjtEq.mjEQ_WELD)
    env.model.eq_data[welds] = 0.0
    env.model.eq_data[welds, :11] = (0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5)


def our_successes(task: str, vectors: np.ndarray, horizon: int) -> list[bool]:
    """Return whether our expert succeeds in our environment from each start."""
    env = BatchedEnv(task, len(vectors), cameras=(), horizon=horizon, num_threads=1)
    env.reset(reset_vectors=torch.from_numpy(vectors))
    was_success = torch.zeros(len(vectors), dtype=torch.bool)
    for _ in range(horizon):
        was_success |= env.step(env.expert_actions()).is_success
    return was_success.tolist()  # type: ignore[no-any-return]


def their_successes(task: str, vectors: np.ndarray, horizon: int) -> list[bool]:
    """Return whether Meta-World's expert succeeds in its own environment from each start."""
    name = f"{task}-v3"
    kind, policy = ALL_V3_ENVIRONMENTS[name], ENV_POLICY_MAP[name]()
    env = kind()
    successes = []
    for vector in vectors:
        content = {"env_cls": kind, "rand_vec": vector, "partially_observable": False}
        env.set_task(MetaWorldTask(env_name=name, data=pickle.dumps(content)))
        observation, _ = env.reset()
        is_success = False
        for _ in range(horizon):
            action = np.clip(policy.get_action(observation).astype(np.float32), -1, 1)
            observation, _, _, _, info = env.step(action)
            if info["success"]:
                is_success = True
                break
        successes.append(is_success)
    return successes


def measure(task: str, starts: int, horizon: int) -> dict[str, Any]:
    """Return what was measured of a task."""
    generators = [np.random.default_rng((_SEED, start)) for start in range(starts)]
    vectors = make_task(task).sample_reset_vectors(generators)
    begin = time.process_time()
    ours = our_successes(task, vectors, horizon)
    row: dict[str, Any] = {"task": task, "ours": float(np.mean(ours))}
    if f"{task}-v3" not in ALL_V3_ENVIRONMENTS:
        return {
            **row,
            "metaworld": None,
            "same_outcome": None,
            "within_3_points": None,
            "cpu_s": None,
        }
    theirs = their_successes(task, vectors, horizon)
    rate = float(np.mean(theirs))
    return {
        **row,
        "metaworld": rate,
        "same_outcome": float(np.mean(np.equal(ours, theirs))),
        "within_3_points": abs(row["ours"] - rate) <= MARGIN + 1e-9,
        "cpu_s": round(time.process_time() - begin, 1),
    }


def _kept(path: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an earlier part of the benchmark measured with the same settings."""
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    is_same = all(content.get(name) == value for name, value in settings.items())
    return content["tasks"] if is_same else []


def _print(row: dict[str, Any]) -> None:
    theirs = "–" if row["metaworld"] is None else f"{row['metaworld']:.0%}"
    same = "–" if row["metaworld"] is None else f"{row['same_outcome']:.0%}"
    word = {True: "yes", False: "no", None: "–"}[row["within_3_points"]]
    print(f"{row['task']:<24}{row['ours']:>8.0%}{theirs:>12}{same:>14}{word:>17}", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--horizon", type=int, default=200)
    parser.add_argument("--tasks", default=",".join(task_names()))
    parser.add_argument("--resume", action="store_true", help="keep the tasks that the file holds")
    default = Path(__file__).parent / "results" / "expert_success.json"
    parser.add_argument("--json", type=Path, default=default)
    arguments = parser.parse_args()
    SawyerMocapBase.reset_mocap_welds = _patch_welds
    warnings.filterwarnings("ignore", message=r"Constant\(s\) may be too high")
    torch.set_num_threads(1)
    settings = {"starts": arguments.starts, "horizon": arguments.horizon, "seed": _SEED}
    kept = _kept(arguments.json, settings) if arguments.resume else []
    done = {row["task"]: row for row in kept}
    rows = []
    print(f"{'task':<24}{'ours':>8}{'Meta-World':>12}{'same outcome':>14}{'within 3 points':>17}")
    for task in arguments.tasks.split(","):
        rows.append(done.get(task) or measure(task, arguments.starts, arguments.horizon))
        _print(rows[-1])
        write_report(arguments.json, {**settings, "tasks": rows})


if __name__ == "__main__":
    main()
