"""Several processes, one for each GPU or machine, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn

from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class Processes:
    """Which of the processes this is.

    Attributes:
        rank: Number of this process, from 0; the first one writes and speaks.
        count: Number of processes.
        local_rank: Number of this process on its machine, which is that of its GPU.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    @property
    def starter(self) -> str:
        """The first words of the command that started them; the dots are options of `torchrun`."""
        return "lam-agent pretrain" if self.count == 1 else "torchrun … -m lam_agent.pretrain"

    def share(self, module: nn.Module) -> nn.Module:
        """Return the module such that its gradients are the means over all processes."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier()

    def any(self, flag: bool) -> bool:
        """Say whether a flag is set in any of the processes."""
        if self.count == 1:
            return flag
        votes = torch.tensor(float(flag))
        if distributed.get_backend() == "nccl":
            votes = votes.cuda(self.local_rank)
        distributed.all_reduce(votes)
        return bool(votes > 0)


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started; a process that it did not start is alone.

    Args:
        device: `cpu`, `cuda`, or `cuda:1` for a process that is alone.

    Raises:
        ConfigError: All processes would be on one GPU.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    if device.startswith("cuda:"):
        raise ConfigError(
            f"device is {device!r}, but each of the {count} processes takes a GPU of its own; use "
            "--device cuda."
        )
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    # The others wait while the first one collects or validates: NCCL's 10 minutes are short.
    settings: dict[str, Any] = {"timeout": timedelta(hours=12)}
    if device == "cuda":
        torch.cuda.set_device(local_rank)
        settings["device_id"] = torch.device("cuda", local_rank)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", **settings)
    try:
        yield Processes(distributed.get_rank(), count, local_rank)
        distributed.barrier()  # None leaves while another one still talks.
    finally:
        distributed.destroy_process_group()
