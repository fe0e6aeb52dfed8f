"""Exceptions of lam_agent: one sentence that says what, got, allowed, what to do.

The command line prints them without a traceback and exits with status 2.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable


class LamAgentError(Exception):
    """Base of every error that lam_agent raises on purpose."""


class ConfigError(LamAgentError):
    """A setting that is unknown, out of range or at odds with another."""


class UnknownOptionError(ConfigError):
    """A command has no option of this name.

    Args:
        message: What is wrong, in one sentence.
        name: The name.
        options: The options that it has.
    """

    def __init__(self, message: str, name: str, options: Iterable[str]) -> None:
        super().__init__(message)
        self.name = name
        self.options = tuple(options)


class TeacherError(LamAgentError):
    """A trained teacher that is missing, damaged or of another task."""


class EpisodeError(LamAgentError, ValueError):
    """Episodes with wrong shapes, NaN, other cameras or another control rate."""


class CheckpointError(LamAgentError):
    """A checkpoint that is missing, damaged, of a newer format or of other shapes."""


class ObservationError(LamAgentError, ValueError):
    """An observation that does not fit the policy's contract."""


class TrainingError(LamAgentError):
    """Training that cannot go on: NaN or infinity in a loss, gradient or action."""


class RunFolderError(LamAgentError):
    """A run folder that exists already, is no run, or is of a newer format."""


class ResultsError(LamAgentError, ValueError):
    """Results that are incomplete, of a newer format or not a success matrix."""


class MissingExtraError(LamAgentError, ImportError):
    """An optional package that a chosen option needs and that is not installed."""


class ExportError(LamAgentError):
    """A policy that cannot be written in another format, or acts otherwise there."""


class BenchmarkError(LamAgentError):
    """A run of a benchmark that failed."""


class WorkerError(LamAgentError):
    """A process beside the run that could not measure a task."""


class StrategyLoadError(LamAgentError):
    """A strategy of others that cannot be loaded, or whose name is taken."""


class LoggerError(LamAgentError):
    """A logger that cannot start."""


class UnseenInstructionWarning(UserWarning):
    """A policy that is asked to follow an instruction that it never learned."""


class Interrupted(LamAgentError):  # noqa: N818 (a signal is no error)
    """A run that a signal stopped.

    Args:
        number: The signal.

    Attributes:
        is_saved: Whether what it has learned is saved; not where a new run has not begun.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_saved = True
        super().__init__(f"stopped by {signal.Signals(number).name}")


class FarObservationWarning(UserWarning):
    """Proprioception that no table-top robot can have, such as millimetres in place of metres."""


def one_line(error: Exception) -> str:
    """Return the words of a library's error without line breaks and final period."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


_FULL = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch says on GPUs and on CPUs."""


def is_memory_full(error: Exception) -> bool:
    """Tell whether an error says that the memory, of the machine or of a GPU, does not suffice."""
    if isinstance(error, MemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and any(full in words for full in _FULL)
