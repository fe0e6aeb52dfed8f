"""`lam-agent pretrain`: make weights from nothing but this repository."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from lam_agent.config.options import merge_imports, one_of, value_after
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError
from lam_agent.pretrain.config import PretrainConfig
from lam_agent.pretrain.sizes import SIZES
from lam_envs.words import nearest

_SIZE = "lam-tiny"


@dataclass(frozen=True)
class PretrainArguments:
    """Pretrain a visual-action policy on many tasks, from nothing but this repository."""

    settings: Annotated[PretrainConfig, tyro.conf.arg(name="")]

    size: Annotated[str, one_of(tuple(SIZES))] = _SIZE
    """Settings to begin with, for a CPU (lam-tiny) or for GPUs (lam-small); flags override them."""


def parse(arguments: Sequence[str]) -> PretrainConfig:
    """Parse the arguments of `pretrain`.

    Raises:
        ConfigError: There is no such size, or a setting is out of range.
    """
    arguments = merge_imports(arguments)
    size = value_after("--size", arguments, _SIZE)
    if size not in SIZES:
        raise ConfigError(
            f"there is no size {size!r}{nearest(size, SIZES)}; the sizes are {', '.join(SIZES)}."
        )
    given = PretrainArguments(SIZES[size], size)
    parsed = parse_arguments(PretrainArguments, arguments, "lam-agent pretrain", given)
    return parsed.settings


def command(arguments: Sequence[str]) -> None:
    """Pretrain a policy, or go on with it."""
    config = parse(arguments)
    from lam_agent.checkpoint import check_rate, fitted_sizes
    from lam_agent.pretrain.folder import PretrainFolder
    from lam_envs.streams.fit import check_stream_fit
    from lam_envs.tasks.registry import make_task

    config = replace(config, policy=fitted_sizes(config.policy))
    check_stream_fit(config.tasks)
    check_rate(config.policy, make_task(config.tasks[0]).control_dt)
    config.demonstrations()  # Refuses what episodes cannot have.
    folder = PretrainFolder(config)
    import torch

    from lam_agent.files import locked_folder
    from lam_agent.interrupts import Interrupts, goes_on_by
    from lam_agent.policy.backbone.weights import check_backbone
    from lam_agent.policy.fit import check_learnable
    from lam_agent.pretrain.pretraining import Pretraining
    from lam_agent.pretrain.processes import joined_processes
    from lam_agent.progress import plain_console
    from lam_agent.system import keep_freed_memory, resolve_device

    keep_freed_memory()
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    check_backbone(config.policy)
    check_learnable(config.tasks)
    interrupts = Interrupts()
    device = resolve_device(config.device)
    with joined_processes(device) as processes:
        if processes.is_first:
            folder.begin(config)
        place = (
            torch.device("cuda", processes.local_rank) if device == "cuda" else torch.device(device)
        )
        again = arguments if config.resume else [*arguments, "--resume"]
        with (
            locked_folder(folder.path) if processes.is_first else nullcontext(),
            interrupts.caught(),
            goes_on_by(f"{processes.starter} {shlex.join(again)}"),
        ):
            Pretraining(
                config,
                folder,
                device=place,
                processes=processes,
                console=plain_console(quiet=not processes.is_first),
                interrupts=interrupts,
            ).run()
