"""Warp, configured and started quietly in one place."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import warp as wp

wp.config.log_level = 30  # Warnings and errors only.
# Else a driver that is newer than Warp's toolkit makes PTX of its own, beside kernels made ahead.
wp.config.cuda_output = "cubin"

__all__ = ["FAST_OPTIONS", "working_on", "wp"]

FAST_OPTIONS = {
    "enable_backward": False,
    "max_unroll": 4,
    # Without NaN a minimum is one instruction.
    "cpu_compiler_flags": "-march=native -ffinite-math-only -Wno-nan-infinity-disabled",
}
"""Module options of kernels that are to be fast on the CPU, and need no gradients."""

_NO_CUDA = b"Could not find or load the NVIDIA CUDA driver"


def _init_quietly() -> None:
    """Initialise Warp; drop its warning that there is no CUDA driver, which no setting silences."""
    try:
        stderr = os.dup(2)
    except OSError:  # There is no standard error that could be written to.
        _init()
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            _init()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            lines = [line for line in held if _NO_CUDA not in line]
            if lines:
                os.write(2, b"".join(lines))


def _init() -> None:
    """Initialise Warp; where its cache cannot be written, with one that ends with the process."""
    try:
        wp.init()  # type: ignore[no-untyped-call]
    except OSError:
        folder = tempfile.mkdtemp(prefix="lam-warp-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        wp.config.kernel_cache_dir = folder
        wp.init()  # type: ignore[no-untyped-call]


@contextmanager
def working_on(device: torch.device) -> Iterator[None]:
    """Let Warp work on torch's device, in the order of torch's own work there."""
    with wp.ScopedDevice(str(device)):
        if device.type == "cpu":
            yield
            return
        stream = torch.cuda.current_stream(device)
        with wp.ScopedStream(wp.stream_from_torch(stream)):  # type: ignore[no-untyped-call]
            yield


_init_quietly()
