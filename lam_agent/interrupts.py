"""Ctrl-C and SIGTERM: stop at a moment from which the run can go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lam_agent.errors import Interrupted, is_memory_full

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Those that stop a command."""


@contextmanager
def goes_on_by(command: str) -> Iterator[None]:
    """Let what stops the block, a signal or the operating system, say which command goes on.

    Args:
        command: The command, quoted for a shell.
    """
    try:
        yield
    except Interrupted as stop:
        stop.add_note(command)
        raise
    except (OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, OSError) or is_memory_full(error):
            error.add_note(f"`{command}` goes on then")
        raise


class Interrupts:
    """Turns signals into `Interrupted`, at once or, where that would lose work, a little later."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._is_deferring = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals while the block runs; only the main thread of a process can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let a first signal wait for `check` while the block runs; a second one does not wait."""
        self._is_deferring = True
        try:
            yield
        finally:
            self._is_deferring = False
        self.check()

    @property
    def is_pending(self) -> bool:
        """Return whether a signal waits."""
        return self._pending is not None

    def check(self) -> None:
        """Raise Interrupted if a signal waits."""
        if self._pending is not None:
            raise Interrupted(self._pending)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        is_first = self._pending is None
        self._pending = number
        if not (self._is_deferring and is_first):
            raise Interrupted(number)
