"""What would wait for a GPU, done so that it does not: constants, masked writes, uploads.

`tensor.new_tensor(...)`, `tensor[mask] = rows` and `tensor.to("cuda")` wait until the GPU has done
all of its work. `read` alone does here, where its argument is on a GPU.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy.typing as npt
import torch


def constant(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    """Return numbers as a tensor with the type and the device of `like`, shape (len(values),).

    It is made once for all calls: treat it as read-only.
    """
    return _made(values, like.dtype, like.device)


def write(target: torch.Tensor, mask: torch.Tensor, values: torch.Tensor | float) -> None:
    """Write into the masked rows of a tensor.

    Args:
        target: Written in place, shape (N, ...).
        mask: Rows that are written, shape (N,), bool.
        values: A number, or what stretches to the shape of `target`: rows of all, of which the
            masked ones are taken, or one row for all.
    """
    where = mask.view(-1, *[1] * (target.dim() - 1))
    target.copy_(torch.where(where, values, target))


def replace_rows(target: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> None:
    """Write rows whose numbers are known on the CPU.

    Args:
        target: Written in place, shape (N, ...).
        rows: Which of them, on the device of `target`, shape (n,), int64.
        values: Their values, shape (n, ...), on the CPU or on that device.
    """
    target.index_copy_(0, rows, upload(values, target.dtype, target.device))


def upload(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return a tensor with a type and on a device, itself where it has them."""
    if tensor.device.type != "cpu" or device.type == "cpu":
        return tensor.to(device, dtype)
    # Pinned memory alone is copied while the program goes on; torch keeps it until it is read.
    return tensor.to(dtype).pin_memory().to(device, non_blocking=True)


def read(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """Return what a tensor holds, as an array; it waits where the tensor is on a GPU."""
    return tensor.detach().cpu().numpy()


@lru_cache(maxsize=4096)
def _made(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # Others use it, too.
        return torch.tensor(values, dtype=dtype, device=device)
