"""`python -m lam_agent.benchmark.member`: one run of a benchmark, which tells what goes on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lam_agent import run
from lam_agent.__main__ import guarded
from lam_agent.errors import Interrupted


def command(arguments: Sequence[str]) -> None:
    """Run as `lam-agent run` does, but without the command that would go on with this run alone."""
    try:
        run.command(arguments)
    except Interrupted as stop:
        sys.exit(128 + stop.number)  # The benchmark says the rest.
    except (OSError, MemoryError, RuntimeError) as error:
        if hasattr(error, "__notes__"):
            del error.__notes__
        raise


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(sys.argv[1:])))
