"""Exceptions of lam_envs: one sentence that says what, got, allowed, what to do."""

from __future__ import annotations


class LamEnvsError(Exception):
    """Base of every error that lam_envs raises on purpose."""


class UnknownTaskError(LamEnvsError, ValueError):
    """A task name that no registered task has."""


class TaskLoadError(LamEnvsError, RuntimeError):
    """A task of another package that cannot be imported, is incomplete, or whose name is taken."""


class StreamFitError(LamEnvsError, ValueError):
    """Tasks of one stream with different action spaces, cameras or control rates."""


class SceneError(LamEnvsError, RuntimeError):
    """A scene that cannot be loaded or lacks a body, joint, site or camera."""


class InvalidActionError(LamEnvsError, ValueError):
    """Actions of a wrong shape, or with NaN or infinity in them."""


class InvalidResetError(LamEnvsError, ValueError):
    """A reset mask, reset vector or seed that the task does not allow."""


class UnstableSimulationError(LamEnvsError, RuntimeError):
    """A world whose state became NaN, infinite or overflowed its contact buffer."""


class InvalidSettingError(LamEnvsError):
    """A setting of an environment that is out of its range.

    It is no ValueError, which the command line's parser would take for a mistake in its words.
    """


class DeviceMemoryError(InvalidSettingError):
    """More worlds than the memory of their device holds."""
