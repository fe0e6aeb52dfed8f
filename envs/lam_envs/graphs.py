"""Captured graphs: each sequence of parts of Warp's work becomes one launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from lam_envs.warp_runtime import wp


class Graphs:
    """Launches sequences of parts, each sequence as one captured graph.

    The first time, a part runs as it is: its kernels must be compiled before it can be captured.
    Parts work on memory that stays where it is, and nothing but Warp's kernels and copies is in
    them: what else they do happens when they are captured, not when they are launched.

    Args:
        device: Warp's device.
        parts: Name -> what it does on Warp's current stream.
    """

    def __init__(self, device: wp.Device, parts: Mapping[str, Callable[[], object]]) -> None:
        self._device = device
        self._parts = parts
        self._have_run: set[str] = set()
        self._graphs: dict[tuple[str, ...], wp.Graph] = {}
        # Torch's default stream cannot be captured.
        self._stream = wp.Stream(device) if device.is_cuda else None

    def launch(self, *names: str) -> None:
        """Launch parts, one after the other, on Warp's current device and stream."""
        if not names:
            return
        if names not in self._graphs:
            if not self._have_run.issuperset(names):
                self.run(*names)
                return
            self._graphs[names] = self._capture(names)
        wp.capture_launch(self._graphs[names])

    def run(self, *names: str) -> None:
        """Run parts as they are, which gives the same results as their graph."""
        for name in names:
            self._parts[name]()
        self._have_run.update(names)

    def _capture(self, names: tuple[str, ...]) -> wp.Graph:
        with ExitStack() as stack:
            if self._stream is not None:
                stack.enter_context(wp.ScopedStream(self._stream, sync_enter=False))
            capture = stack.enter_context(wp.ScopedCapture(self._device))
            self.run(*names)
        graph: wp.Graph = capture.graph
        return graph
