"""The command line: `lam-agent run | collect | eval | …`; `lam-agent --help` lists all."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from lam_agent import __version__

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("lam_agent.run", "adapt a policy to a stream of tasks and measure what it forgets"),
    "benchmark": (
        "lam_agent.benchmark.command",
        "run strategies with several seeds on a task stream and compare them",
    ),
    "pretrain": (
        "lam_agent.commands.pretrain",
        "make the weights that a run starts from",
    ),
    "remember": (
        "lam_agent.commands.remember",
        "give a checkpoint frames of its tasks, by which replay keeps them",
    ),
    "collect": ("lam_agent.commands.collect", "collect the demonstrations of tasks into the cache"),
    "train-teacher": (
        "lam_agent.commands.train_teacher",
        "train teachers of tasks that have no script, by reinforcement learning",
    ),
    "eval": ("lam_agent.commands.evaluate", "measure the success of a checkpoint"),
    "robustness": (
        "lam_agent.commands.robustness",
        "measure what a run learned and kept in randomised scenes",
    ),
    "export": ("lam_agent.commands.export", "write a checkpoint as an ONNX file for a robot"),
    "import-minari": (
        "lam_agent.commands.import_minari",
        "make demonstrations of a Minari dataset",
    ),
    "export-minari": (
        "lam_agent.commands.export_minari",
        "make Minari datasets of demonstrations",
    ),
    "import-lerobot": (
        "lam_agent.commands.import_lerobot",
        "make demonstrations of a LeRobot dataset",
    ),
    "export-lerobot": (
        "lam_agent.commands.export_lerobot",
        "make a LeRobot dataset of demonstrations",
    ),
    "list-tasks": ("lam_agent.commands.list_tasks", "print the tasks"),
    "report": (
        "lam_agent.commands.report",
        "draw the report of a run again, or compare several runs",
    ),
    "info": (
        "lam_agent.commands.info",
        "print the environment, or what a checkpoint or a run holds",
    ),
}
"""Command -> module with its `command(arguments)`, and what it does."""

_REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in the quota",
    errno.EACCES: "choose another folder or change its permissions",
    errno.EROFS: "choose another folder, this one is read-only",
}
"""Error of the operating system -> what to do."""

_MOST_WORDS = 200
"""Letters of a library's error that ours repeats."""

_DESCRIPTION = "Continual learning of visual robot policies."


def _help() -> str:
    """Return the help; it imports nothing heavy."""
    lines = [f"  {name:<15}{words}" for name, (_, words) in _COMMANDS.items()]
    return "\n".join(
        (
            "usage: lam-agent COMMAND [OPTIONS]",
            "",
            _DESCRIPTION,
            "",
            "commands:",
            *lines,
            "",
            "`lam-agent COMMAND --help` prints the options of a command.",
            "",
            "example: lam-agent run --task-stream reach,push --strategy replay",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Command and options; none: those of the process.

    Returns:
        Exit status: 0, or 2 after a mistake of the user, told in one sentence.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        return guarded(lambda: print(_help()))
    if words[0] == "--version":
        return guarded(lambda: print(f"lam-agent {__version__}"))
    if words[0] not in _COMMANDS:
        return _fail_unknown(words[0])
    return guarded(lambda: import_module(_COMMANDS[words[0]][0]).command(words[1:]))


def guarded(act: Callable[[], None]) -> int:
    """Run a command; print errors that lam_agent raises on purpose without a traceback.

    Returns:
        Exit status.
    """
    from lam_agent.errors import Interrupted, LamAgentError, is_memory_full, one_line
    from lam_envs.errors import LamEnvsError

    if isinstance(sys.stdout, io.TextIOWrapper):  # Not all terminals have – and …
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            act()
        finally:
            sys.stdout.flush()  # Here a full disk and a closed pipe are told.
    except Interrupted as stop:
        how = "".join(f"; `{note}` goes on" for note in getattr(stop, "__notes__", ()))
        left = f", what was done is saved{how}" if stop.is_saved else " before the run began"
        print(f"lam-agent: {stop}{left}.", file=sys.stderr)
        return 128 + stop.number
    except (LamAgentError, LamEnvsError) as error:
        print(f"lam-agent: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # Such as by `| head`: nobody reads on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        print(f"lam-agent: error: {_os_words(error)}.", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if not is_memory_full(error):
            raise
        words = f"the memory does not suffice ({one_line(error)[:_MOST_WORDS]})"
        remedy = "use a smaller --train.batch-size, smaller pictures or fewer --workers"
        print(f"lam-agent: error: {_with_hints(words, remedy, error)}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lam-agent: interrupted.", file=sys.stderr)
        return 130
    return 0


def _os_words(error: OSError) -> str:
    """Return what the operating system refused, of which file, and what to do."""
    where = f" ({error.filename})" if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0)
    return _with_hints(f"{error.strerror or error}{where}", remedy, error)


def _with_hints(words: str, remedy: str | None, error: Exception) -> str:
    """Return the words of an error with what to do, and with the command that goes on then."""
    return "; ".join([words, *([remedy] if remedy else []), *getattr(error, "__notes__", ())])


def _fail_unknown(command: str) -> int:
    """Refuse a command that is not there."""
    from difflib import get_close_matches

    close = get_close_matches(command, _COMMANDS, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    print(
        f"lam-agent: error: there is no command {command!r}{hint}; "
        f"the commands are {', '.join(_COMMANDS)}.",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
