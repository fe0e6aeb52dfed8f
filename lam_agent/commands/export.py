"""`lam-agent export`: a checkpoint as an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from lam_agent.config.parsing import parse_arguments


@dataclass(frozen=True)
class ExportArguments:
    """Write a checkpoint as an ONNX file, which a robot runs without torch and this package."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint, or a run, of which the last checkpoint is taken."""

    output: Path = Path("policy.onnx")
    """The file; one that is there is replaced."""

    task: str | None = None
    """The only task that the file holds; none: all. After `--strategy packnet` each needs a file of
    its own."""


def command(arguments: Sequence[str]) -> None:
    """Export a checkpoint and say what is in the file."""
    asked = parse_arguments(ExportArguments, arguments, "lam-agent export")
    from lam_agent.checkpoint import load_pretrained
    from lam_agent.export import TOLERANCE, export_onnx
    from lam_agent.progress import plain_console

    console = plain_console()
    policy, contract = load_pretrained(asked.checkpoint)
    known = contract.known
    with console.status("Writing ONNX, and comparing its actions with the policy's …"):
        contract = export_onnx(policy, contract, asked.output, asked.task)
    console.print(
        f"Wrote {asked.output} ({asked.output.stat().st_size / 1e6:.1f} MB) for "
        f"{', '.join(contract.tasks)}; ONNX Runtime gives the policy's actions to {TOLERANCE:g}.",
        soft_wrap=True,
    )
    if others := [task for task in known if task not in contract.known]:
        console.print(
            f"{len(others)} more tasks that it remembers are not in it, such as {others[0]}; "
            f"`--task {others[0]}` writes that one.",
            soft_wrap=True,
        )
