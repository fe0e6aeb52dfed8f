"""How a run shares the CPU cores between training and the workers that measure beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lam_agent.config import RunConfig
from lam_agent.errors import ConfigError
from lam_envs.cores import available_cores

LONG_STREAM = 200_000
"""Control steps of all test episodes of a run from which it has workers by itself: a minute on two
cores. A worker takes seconds to start, and 0.8 GB."""


def share_cores(
    config: RunConfig, device: str, num_cells: int, most_workers: int
) -> tuple[int, int | None]:
    """Return the number of workers, and the CPU threads of the run's own process.

    By itself a run has workers on CPU cores where its evaluation is long, on half of the threads,
    but none that would have nothing to do. A GPU measures a thousand worlds at once and needs none.

    Args:
        config: The run's configuration.
        device: The policy's device.
        num_cells: Cells of the success matrix that the run measures.
        most_workers: Tasks that are measured at a time, at most: one worker measures one.

    Returns:
        Both numbers; the threads are None for as many as torch takes.

    Raises:
        ConfigError: Workers are asked for beside a GPU.
    """
    threads, workers = config.threads, config.workers
    if device != "cpu":
        if workers:
            raise ConfigError(
                f"workers is {workers}, but they measure on CPU cores and the policy is on "
                f"{device}; use --workers 0 or --device cpu."
            )
        return 0, threads
    if workers is None:
        budget = threads or available_cores()
        is_long = num_cells * config.eval.episodes * config.eval.horizon >= LONG_STREAM
        workers = min(budget // 2, most_workers) if is_long else 0
        return workers, budget - workers if workers else threads
    if workers and threads is None:
        threads = max(1, available_cores() - workers)
    return workers, threads


@contextmanager
def single_thread() -> Iterator[None]:
    """Compute on one thread while the block runs, as a worker does: rounding depends on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
