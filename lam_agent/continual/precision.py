"""Where bf16 is faster: on CUDA and on CPUs with AMX or AVX-512 bf16 instructions.

On a CPU without them torch emulates bf16, hundreds of times slower than float32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether bf16 arithmetic gains on a device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in checks)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context that computes in bf16 where that gains, else in float32."""
    if not has_fast_bf16(device):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
