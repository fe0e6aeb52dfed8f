"""`lam-agent info`: a checkpoint, a run or the environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from lam_agent.config.parsing import parse_arguments

if TYPE_CHECKING:
    from lam_agent.checkpoint import Contract


@dataclass(frozen=True)
class InfoArguments:
    """Print a checkpoint with its instructions, a run, or the environment for a bug report."""

    path: tyro.conf.Positional[Path | None] = None
    """A checkpoint or a run; none: versions, device and threads."""

    json: bool = False
    """Print the whole contract of a checkpoint, or the results of a run, for programs."""


def command(arguments: Sequence[str]) -> None:
    """Print a checkpoint, a run or the environment."""
    asked = parse_arguments(InfoArguments, arguments, "lam-agent info")
    if asked.path is None:
        from lam_agent.system import describe_system, resolve_device
        from lam_envs.cores import available_cores

        print(json.dumps(describe_system(resolve_device("auto"), available_cores()), indent=2))
        return
    results = asked.path / "results.json"
    if results.is_file():
        if asked.json:
            print(results.read_text(encoding="utf-8"), end="")
            return
        from lam_agent.progress import plain_console
        from lam_agent.report.terminal import print_results
        from lam_agent.results import read_results

        print_results(read_results(results), plain_console())
        return
    from lam_agent.checkpoint import load_pretrained, resolve_checkpoint

    folder = resolve_checkpoint(asked.path)
    policy, contract = load_pretrained(folder)
    if asked.json:
        print((folder / "config.json").read_text(encoding="utf-8"), end="")
        return
    _print_checkpoint(folder, contract, policy.num_parameters(trainable=False))


def _print_checkpoint(folder: Path, contract: Contract, num_parameters: int) -> None:
    """Print what a checkpoint is and can do."""
    from rich.table import Column, Table

    from lam_agent.progress import plain_console

    rates = contract.success_row.rates
    split = contract.protocol.get("split", "test")
    table = Table(Column("task", overflow="fold"), "instruction", f"success, {split}")
    for task, instruction in contract.known.items():
        rate = rates.get(task)
        table.add_row(task, instruction, "–" if rate is None else f"{rate:.0%}")
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    names, first = ", ".join(contract.observation), contract.policy
    console = plain_console()
    console.print(table)
    for words in (
        f"{folder}: {num_parameters:,} parameters, {size:.1f} MB, made by lam_agent "
        f"{contract.lam_agent_version}; verified.",
        f"It observes {names} ({first.image_size} x {first.image_size} pixels) and gives "
        f"{contract.execute_length} actions a look, {1 / contract.control_dt:g} a second.",
        *(
            [f"It carries frames of {len(contract.remembered)} tasks, by which replay keeps them."]
            if contract.remembered
            else []
        ),
        "`--json` prints the whole contract.",
    ):
        console.print(words, soft_wrap=True, highlight=False)
