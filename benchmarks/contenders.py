"""Contenders of the throughput benchmark: ours, what bounds it from above, and what others offer.

Each maker returns a call and the environment steps that one call does. Resets are included: one
reset of all worlds in `HORIZON` steps. A call that does fewer steps is charged its share of one.
"""

from __future__ import annotations

import importlib
import os
import pickle
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
import torch
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.sawyer_xyz_env import SawyerMocapBase
from metaworld.types import Task as MetaWorldTask
from mujoco.batch import Batch

from lam_envs.batched import BatchedEnv
from lam_envs.cores import available_cores
from lam_envs.scene import load_model
from lam_envs.tasks.registry import make_task

HORIZON = 200
Contender = tuple[Callable[[], None], float]

_POSITIONS = int(mujoco.mjtStage.mjSTAGE_POS)
_IMAGE_SIZE = 64


class NotAvailableError(Exception):
    """A contender that this machine cannot run, and why."""


def ours(task: str, worlds: int) -> Contender:
    """Return BatchedEnv without cameras."""
    env = BatchedEnv(task, worlds, cameras=(), horizon=HORIZON)
    actions = torch.rand(HORIZON, worlds, 4) * 2 - 1

    def episode() -> None:
        env.reset(seeds=range(worlds))
        for step in range(HORIZON):
            env.step(actions[step])

    return episode, HORIZON * worlds


def bare_loop(task: str, worlds: int) -> Contender:
    """Return the loop of mujoco.batch alone: mocap, effort, five substeps, no state, no reward."""
    batch = Batch(load_model(make_task(task).model_file), worlds, 0)
    mocap, ctrl = batch.bind("mocap_pos"), batch.bind("ctrl")
    batch.bind("xpos")
    # It starts where our environment starts, so that both simulate the same work.
    env = BatchedEnv(task, worlds, cameras=())
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

    return episode, HORIZON * worlds


def ours_with_images(task: str, worlds: int) -> Contender:
    """Return BatchedEnv with both cameras looking in every step."""
    env = BatchedEnv(task, worlds, image_size=_IMAGE_SIZE, horizon=HORIZON)
    steps = max(2, 512 // worlds)
    actions = torch.rand(steps, worlds, 4) * 2 - 1
    reset_s = _seconds(lambda: env.reset(seeds=range(worlds)))

    def part() -> None:
        for step in range(steps):
            env.step(actions[step])
            env.images()
        time.sleep(reset_s * steps / HORIZON)

    return part, steps * worlds


def bare_cameras(task: str, worlds: int) -> Contender:
    """Return the cameras alone; its rate is that of looks with both cameras."""
    env = BatchedEnv(task, worlds, image_size=_IMAGE_SIZE, horizon=HORIZON)
    env.reset(seeds=range(worlds))
    for _ in range(30):
        env.step(env.expert_actions())
    looks = max(2, 512 // worlds)

    def part() -> None:
        for _ in range(looks):
            env.images()

    return part, looks * worlds


def metaworld_sync(task: str, worlds: int) -> Contender:
    """Return Meta-World's environments in Gymnasium's synchronous vector environment."""
    return _metaworld(gymnasium.vector.SyncVectorEnv([lambda: _make(task)] * worlds), worlds)


def metaworld_async(task: str, worlds: int) -> Contender:
    """Return Meta-World's environments in a process each."""
    if worlds > 16:
        raise NotAvailableError(f"{worlds} processes need more memory than this is for")
    return _metaworld(gymnasium.vector.AsyncVectorEnv([lambda: _make(task)] * worlds), worlds)


def metaworld_images(task: str, worlds: int) -> Contender:
    """Return one of Meta-World's environments with `rgb_array` of both views by software GL."""
    if worlds > 1:
        raise NotAvailableError("each of its worlds has an OpenGL context of its own")
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    try:
        env = _make(task)
        renderer: Any = mujoco.Renderer(env.unwrapped.model, _IMAGE_SIZE, _IMAGE_SIZE)
    except Exception as error:  # What is raised depends on the GL library that is missing.
        raise NotAvailableError(f"no software GL ({type(error).__name__})") from error
    env.reset()
    steps = 5
    actions = [env.action_space.sample() for _ in range(steps)]

    def part() -> None:
        for action in actions:
            env.step(action)
            for camera in ("corner2", "gripperPOV"):
                renderer.update_scene(env.unwrapped.data, camera=camera)
                renderer.render()

    return part, steps


def envpool(task: str, worlds: int) -> Contender:
    """Return EnvPool's Meta-World."""
    try:
        module = importlib.import_module("envpool")
    except Exception as error:
        raise NotAvailableError(
            f"envpool cannot be imported ({type(error).__name__}): pip install envpool"
        ) from error
    name = "".join(word.capitalize() for word in task.split("-"))
    env = module.make_gymnasium(
        f"MetaWorld/{name}-v3", num_envs=worlds, num_threads=available_cores()
    )
    actions = np.random.default_rng(0).uniform(-1, 1, (HORIZON, worlds, 4))

    def episode() -> None:
        env.reset()
        for step in range(HORIZON):
            env.step(actions[step])

    return episode, HORIZON * worlds


def _metaworld(envs: Any, worlds: int) -> Contender:
    """Return some steps of a vector environment, charged their share of a reset."""
    reset_s = _seconds(envs.reset)
    steps = max(4, 1024 // worlds)
    actions = [envs.action_space.sample() for _ in range(steps)]

    def part() -> None:
        for action in actions:
            envs.step(action)
        time.sleep(reset_s * steps / HORIZON)

    return part, steps * worlds


def _make(task: str) -> Any:
    """Make one of Meta-World's environments, with its reset as MuJoCo 4 needs it."""
    SawyerMocapBase.reset_mocap_welds = _patch_welds
    kind = ALL_V3_ENVIRONMENTS[f"{task}-v3"]
    env = kind()
    vector = make_task(task).sample_reset_vectors([np.random.default_rng(0)])[0]
    content = {"env_cls": kind, "rand_vec": vector, "partially_observable": False}
    env.set_task(MetaWorldTask(env_name=f"{task}-v3", data=pickle.dumps(content)))
    return env


def _patch_welds(env: SawyerMocapBase) -> None:
    """Write the welds as Meta-World does, for MuJoCo versions whose rows have twelve numbers."""
    welds = env.model.eq_type == int(mujoco.mjtEq.mjEQ_WELD)
    env.model.eq_data[welds] = 0.0
    env.model.eq_data[welds, :11] = (0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 5)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
