"""Settings for all tests: how many processes run them, and how many threads each of them has."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from lam_envs.cores import available_cores

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
"""Whether this is one of several processes that share the tests."""

MAX_WORKERS = 8
"""Every process loads torch, MuJoCo and Avalanche: about a gigabyte, and seconds."""

if IS_WORKER:
    # Read when torch is loaded: threads that spin while they wait take the other processes' cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say how many processes `-n auto` starts: none for tests that are named, else one a core."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it.
    if config.args and all("::" in argument for argument in config.args):
        return 0
    return min(available_cores(), MAX_WORKERS)


@pytest.fixture(scope="session", autouse=True)
def threads() -> None:
    """Give torch the two cores that the project is measured on; a worker has one for itself."""
    import torch  # Not above: the process that only hands out the tests does without.

    torch.set_num_threads(1 if IS_WORKER else 2)


@pytest.fixture
def waiting_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., AbstractContextManager[object]]:
    """A context in which it fails what would wait for a GPU, given tensors that are on the host."""
    from waiting import refused  # Not above: it loads torch.

    return partial(refused, monkeypatch)
