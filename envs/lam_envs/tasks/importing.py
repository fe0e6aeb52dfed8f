"""Import modules that others wrote, and say in one sentence what is wrong with one that fails."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from lam_envs.errors import LamEnvsError, TaskLoadError


def import_tasks(modules: Iterable[str]) -> None:
    """Import modules that register tasks; those that are imported already stay as they are.

    Modules are found among the installed packages and in the current folder.

    Args:
        modules: Names of modules, such as `my_package` or `my_package.my_task`.

    Raises:
        TaskLoadError: A module is missing or fails.
    """
    for name in modules:
        import_checked(name, f"--import {name}")


def import_checked(name: str, who: str) -> ModuleType:
    """Import a module.

    Args:
        name: Name of the module.
        who: Who names it, for errors.

    Raises:
        TaskLoadError: It is missing or fails, with the file and the reason.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # Behind all others, so that it hides none of them.
    try:
        return import_module(name)
    except LamEnvsError:
        raise  # A task that was refused, in a sentence of its own.
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise TaskLoadError(f"{who} cannot be loaded: {_reason(error)}; mend it.") from error
        raise TaskLoadError(
            f"{who} cannot be loaded: there is no module {error.name!r}; install its package, or "
            "run where it lies."
        ) from error
    except Exception as error:  # Whatever a module of others raises.
        raise TaskLoadError(f"{who} cannot be loaded: {_reason(error)}; mend it.") from error


def _reason(error: Exception) -> str:
    """Return file, line and message of an error in one line."""
    if isinstance(error, SyntaxError):
        file, line, message = error.filename, error.lineno, error.msg
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        file, line, message = last.filename, last.lineno, str(error)
    words = " ".join(message.split()).rstrip(".")
    return f"{file}, line {line}, raises {type(error).__name__} ({words})"
