"""`lam-agent info`: a checkpoint, a run or the environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class InfoArguments:
    """Print a checkpoint with its instructions, a run, or the environment for a bug report."""

    path: tyro.conf.Positional[Path | None] = None
    """A checkpoint or a run; none: versions, device and threads."""


def command(arguments: Sequence[str]) -> None:
    """Print a checkpoint, a run or the environment."""
    asked = tyro.cli(InfoArguments, args=list(arguments), prog="lam-agent info")
    if asked.path is None:
        from lam_agent.system import available_cores, describe_system, resolve_device

        print(json.dumps(describe_system(resolve_device("auto"), available_cores()), indent=2))
        return
    results = asked.path / "results.json"
    if results.is_file():
        from lam_agent.progress import plain_console
        from lam_agent.report.terminal import print_results
        from lam_agent.results import read_results

        print_results(read_results(results), plain_console())
        return
    from lam_agent.checkpoint import load_pretrained, resolve_checkpoint

    folder = resolve_checkpoint(asked.path)
    load_pretrained(folder)
    print((folder / "config.json").read_text(encoding="utf-8"))
