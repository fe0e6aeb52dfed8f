"""`lam-agent pretrain`: make weights from nothing but this repository."""

from __future__ import annotations

from collections.abc import Sequence

import tyro

from lam_agent.pretrain.config import PretrainConfig


def command(arguments: Sequence[str]) -> None:
    """Pretrain a policy, or go on with it."""
    config = tyro.cli(PretrainConfig, args=list(arguments), prog="lam-agent pretrain")
    from lam_agent.pretrain.folder import PretrainFolder

    folder = PretrainFolder(config)
    import torch
    from rich.console import Console

    from lam_agent.interrupts import Interrupts
    from lam_agent.pretrain.pretraining import Pretraining
    from lam_agent.pretrain.processes import joined_processes
    from lam_agent.system import keep_freed_memory, resolve_device

    keep_freed_memory()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    interrupts = Interrupts()
    device = resolve_device(config.device)
    with interrupts.caught(), joined_processes(device) as processes:
        if processes.is_first:
            folder.begin(config)
        place = torch.device(device, processes.local_rank if device == "cuda" else 0)
        Pretraining(
            config,
            folder,
            device=place,
            processes=processes,
            console=Console(quiet=not processes.is_first),
            interrupts=interrupts,
        ).run()
