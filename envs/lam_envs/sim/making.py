"""Make the engine that is asked for, on a device that it runs on."""

from __future__ import annotations

from typing import Literal, get_args

import mujoco
import torch

from lam_envs.errors import InvalidSettingError
from lam_envs.sim.buffers import Room
from lam_envs.sim.native import NativeSim
from lam_envs.sim.protocol import BatchSim

Engine = Literal["native", "warp"]


def make_sim(
    engine: Engine,
    model: mujoco.MjModel,
    num_worlds: int,
    *,
    device: str,
    num_threads: int,
    varies: bool,
    room: Room | None = None,
) -> BatchSim:
    """Make an engine.

    Args:
        engine: Its name.
        model: The compiled model.
        num_worlds: Number of worlds.
        device: `cpu`, `cuda` or `cuda:1`.
        num_threads: CPU threads of the native engine.
        varies: Whether the `RANDOMISED_FIELDS` differ between worlds.
        room: What memory the warp engine sets aside for; None for the most.

    Raises:
        InvalidSettingError: There is no such engine or device, or they do not go together.
    """
    if engine not in get_args(Engine):
        raise InvalidSettingError(
            f"there is no engine {engine!r}; the engines are {' and '.join(get_args(Engine))}."
        )
    target = _device(device)
    if engine == "native":
        if target.type != "cpu":
            raise InvalidSettingError(
                f"device is {device!r}, but the native engine runs on CPU cores; set the engine to "
                "warp, or the device to cpu."
            )
        return NativeSim(model, num_worlds, num_threads, varies=varies)
    from lam_envs.sim import gpu  # Imports Warp, which takes seconds.
    from lam_envs.sim.warp import WarpSim

    if target.type == "cuda":
        gpu.check_driver(*gpu.driver_versions())
    return WarpSim(model, num_worlds, str(target), room=room, varies=varies)


def _device(name: str) -> torch.device:
    """Return the device, refused where there is none such."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise InvalidSettingError(f"device is {name!r}; it must be cpu, cuda or cuda:NUMBER.")
    if device.type == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index or 0
    if index >= count:
        raise InvalidSettingError(
            f"device is {name!r}, but torch finds {count} CUDA devices; set the device to cpu, or "
            "look at the driver (nvidia-smi) and at torch's build (torch.version.cuda)."
        )
    return torch.device("cuda", index)
