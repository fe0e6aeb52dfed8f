"""What a GPU must have before worlds are made on it: a driver that Warp knows, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import mujoco

from lam_envs.errors import DeviceMemoryError, InvalidSettingError
from lam_envs.sim.warp_physics import mujoco_warp
from lam_envs.warp_runtime import wp

_DRIVERS = {11: "R470", 12: "R525", 13: "R580"}
"""Major version of CUDA -> the oldest branch of NVIDIA's driver that has it."""

SCRATCH_PER_CONTACT = 9_100
"""Bytes that mujoco_warp's step sets aside for each contact that a world has room for, beside its
data: mostly for convex collisions (8,932 to 9,020 in seven tasks)."""

_KEPT_FREE = 0.1
"""Share of the free memory that physics leaves for pictures, policy and graphs."""


def driver_versions() -> tuple[tuple[int, int] | None, tuple[int, int]]:
    """Return the CUDA version of the driver, None without one, and the oldest that Warp takes."""
    runtime: Any = wp._src.context.runtime
    return runtime.driver_version, runtime.min_driver_version or runtime.toolkit_version


def check_driver(found: tuple[int, int] | None, needed: tuple[int, int]) -> None:
    """Refuse a driver that is too old for Warp, or none.

    Args:
        found: CUDA version of the driver, None without one.
        needed: Oldest that Warp takes.

    Raises:
        InvalidSettingError: With both versions.
    """
    if found is not None and found >= needed:
        return
    has = (
        "no NVIDIA driver was found" if found is None else f"the NVIDIA driver has CUDA {_v(found)}"
    )
    branch = _DRIVERS.get(needed[0])
    raise InvalidSettingError(
        f"{has}, but the warp engine (warp-lang {wp.__version__}) needs CUDA {_v(needed)} or newer"
        f"{f', driver {branch}' if branch else ''}; update the driver, or set the device to cpu."
    )


def bytes_per_world(
    physics: mujoco.MjModel, copied: Sequence[str] = (), *, nconmax: int, njmax: int
) -> int:
    """Return how much memory the physics of each world more needs.

    Args:
        physics: The compiled model.
        copied: Fields of mujoco_warp's data that are kept twice.
        nconmax: Contacts that a world has room for.
        njmax: Constraint rows that it has room for.
    """

    def size(num_worlds: int) -> int:
        data = mujoco_warp.make_data(physics, nworld=num_worlds, nconmax=nconmax, njmax=njmax)
        return _size(data) + sum(_size(getattr(data, name)) for name in copied)

    few, more = 8, 16
    with wp.ScopedDevice("cpu"):
        kept = (size(more) - size(few)) // (more - few)
    return kept + SCRATCH_PER_CONTACT * nconmax


def check_memory(num_worlds: int, each: int, free: int) -> None:
    """Refuse more worlds than a GPU has memory for.

    Args:
        num_worlds: Number of worlds.
        each: Bytes that each needs.
        free: Bytes that are free.

    Raises:
        DeviceMemoryError: With the number of worlds that fit.
    """
    most = int(free * (1.0 - _KEPT_FREE)) // each
    if num_worlds <= most:
        return
    raise DeviceMemoryError(
        f"{num_worlds} worlds need {num_worlds * each / 2**30:.1f} GiB of GPU memory for their "
        f"physics, of which {free / 2**30:.1f} GiB are free; ask for {most} worlds at most."
    )


def _size(value: Any) -> int:
    """Return the bytes of all arrays in a structure of mujoco_warp's."""
    if isinstance(value, wp.array):
        return int(value.capacity)
    if is_dataclass(value):
        return sum(_size(getattr(value, item.name)) for item in fields(value))
    return 0


def _v(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
