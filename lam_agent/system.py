"""The machine and the packages: versions, device, threads, memory."""

from __future__ import annotations

import ctypes
import math
import platform
import resource
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lam_agent import __version__
from lam_agent.config.checks import require_device
from lam_agent.errors import ConfigError
from lam_envs.cores import available_cores

if TYPE_CHECKING:
    from lam_envs.sim.making import Engine

_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "mujoco",
    "mujoco-warp",
    "warp-lang",
    "metaworld",
    "gymnasium",
    "avalanche-lib",
    "stable-baselines3",
    "safetensors",
    "timm",
)

_M_MMAP_MAX = -4
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2


def package_versions() -> dict[str, str]:
    """Return the version of Python and of each package that results depend on."""
    return dict(_package_versions())


@cache
def _package_versions() -> dict[str, str]:
    versions = {"lam_agent": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


@cache
def default_threads() -> int:
    """Return the CPU threads that torch takes by itself: the first call is before any are set."""
    import torch

    return torch.get_num_threads()


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far, in units of 10^6 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1e-6 if sys.platform == "darwin" else 1024e-6)


def available_memory_mb() -> float:
    """Return how much memory programs may still take, 10^6 bytes; infinity where it is not told."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(
            int(line.split()[1]) * 1024e-6 for line in lines if line.startswith("MemAvailable")
        )
    except (OSError, StopIteration):
        return math.inf


def resolve_device(name: str) -> str:
    """Return `cpu`, `cuda` or `cuda:1` for one of `DEVICES`.

    Raises:
        ConfigError: It is no device, or one that is not there.
    """
    import torch

    require_device(name)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda" if count else "cpu"
    if name != "cpu" and int(name.partition(":")[2] or 0) >= count:
        found = f"finds {count} CUDA devices" if count else "finds no CUDA device"
        raise ConfigError(f"device is {name!r}, but torch {found}; use --device cpu.")
    return name


def simulation_on(engine: str, device: str) -> tuple[Engine, str]:
    """Return the physics engine for a policy's device, and the device that it runs on.

    Args:
        engine: `auto`, `native` or `warp`.
        device: The policy's device.
    """
    if engine == "warp" or (engine == "auto" and device.startswith("cuda")):
        return "warp", device
    return "native", "cpu"


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of returning it to the system after every step.

    Training allocates and frees some hundred megabytes in each gradient step; faulting the pages
    in again costs more than the arithmetic on machines that reclaim them at once. No effect where
    the C library is another.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 64 * 2**20)


def describe_system(device: str, threads: int) -> dict[str, Any]:
    """Return what a bug report needs, as JSON holds it."""
    return {
        "versions": package_versions(),
        "platform": platform.platform(),
        "processor": _processor_name(),
        "cores": available_cores(),
        "device": device,
        "threads": threads,
    }


def _processor_name() -> str:
    """Return the processor's name, or its architecture where that is all that is known."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (no folder to join)
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.machine()
