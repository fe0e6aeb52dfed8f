"""Progress in the terminal: what the run is doing now and how long that will still take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lam_agent.types import Progress as ProgressCall


class _Console(Console):
    """A console that leaves it to the command line to say that nobody reads on."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def plain_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console that prints brackets and colons as they are: paths and names have some.

    Args:
        stderr: Whether it prints to standard error.
        quiet: Whether it prints nothing.
    """
    return _Console(stderr=stderr, quiet=quiet, markup=False, emoji=False)


class RunProgress:
    """Shows one bar for each phase that is under way and a line for each that is done.

    Args:
        console: Where to show it. Where that is no terminal, only the lines are printed.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, words: str) -> None:
        """Print a line."""
        self.console.print(words, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @contextmanager
    def phase(self, words: str) -> Iterator[ProgressCall]:
        """Show a bar while the block runs; the block reports the share that is done."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        is_hidden = not self.console.is_terminal  # It would print blank lines.
        with Progress(*columns, console=self.console, transient=True, disable=is_hidden) as bars:
            bar = bars.add_task(words, total=1.0)

            def update(share: float, description: str) -> None:
                bars.update(bar, completed=share, description=description)

            yield update
