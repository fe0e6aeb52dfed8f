"""Parse a command's arguments; what tyro would refuse in a box is refused in one sentence.

tyro has no supported way to tell what it refuses, so its help and its box are read. If a version of
it has other words there, those are told as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from itertools import takewhile
from typing import TypeVar

import tyro

from lam_agent.config.options import value_after
from lam_agent.errors import ConfigError, UnknownOptionError
from lam_envs.words import nearest

Arguments = TypeVar("Arguments")

_ANSI = re.compile(r"\x1b\[[\d;]*m")
_OPTION = re.compile(r"--[a-z][\w.-]*\w")
_KINDS = {"INT": "a whole number", "FLOAT": "a number", "PATH": "a path", "{None}": "None"}
"""How the help names what an option takes -> the same in words."""


def parse_arguments(
    kind: type[Arguments], words: Sequence[str], prog: str, default: Arguments | None = None
) -> Arguments:
    """Return what a command's words ask for; `--help` prints the help and exits.

    Args:
        kind: Dataclass of the command's options.
        words: Its arguments.
        prog: Its name.
        default: What options that are not given are; None for the defaults of the dataclass.

    Raises:
        ConfigError: An option is not there, lacks its value or has a wrong one.
    """
    given = tyro.MISSING_NONPROP if default is None else default
    with _in_one_sentence(kind, words, prog, default, takes_others=False):
        return tyro.cli(kind, args=list(words), prog=prog, default=given)


def parse_known_arguments(
    kind: type[Arguments], words: Sequence[str], prog: str
) -> tuple[Arguments, list[str]]:
    """Return what a command's words ask for, and the words that are none of its options.

    Args:
        kind: Dataclass of the command's options.
        words: Its arguments.
        prog: Its name.

    Raises:
        ConfigError: An option lacks its value or has a wrong one.
    """
    with _in_one_sentence(kind, words, prog, None, takes_others=True):
        return tyro.cli(kind, args=list(words), prog=prog, return_unknown_args=True)


@contextmanager
def _in_one_sentence(
    kind: type[Arguments],
    words: Sequence[str],
    prog: str,
    default: Arguments | None,
    *,
    takes_others: bool,
) -> Iterator[None]:
    """Raise what tyro refuses in the block, in one sentence."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            yield
    except SystemExit as stop:
        if not stop.code:  # After the help.
            raise
        box, said = _lines(said.getvalue()), StringIO()
        text, words = _help(kind, prog, default), [_with_dashes(word) for word in words]
        if not takes_others:
            _check_options(words, prog, text)
        raise ConfigError(f"{_refusal(box, words, prog, text)}; see {prog} --help.") from None
    finally:
        sys.stderr.write(said.getvalue())  # Of modules that were imported, perhaps.


def _help(kind: type[Arguments], prog: str, default: Arguments | None) -> str:
    """Return the help of a command, without the boxes."""
    given = tyro.MISSING_NONPROP if default is None else default
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        tyro.cli(kind, args=["--help"], prog=prog, default=given)
    return "\n".join(_lines(said.getvalue()))


def _lines(box: str) -> list[str]:
    """Return the lines of a text without the box around them, its title and colours."""
    lines = [line for line in _ANSI.sub("", box).splitlines() if line[:1] not in ("╭", "╰")]
    lines = [line.strip("│ ") for line in lines]
    # Where a terminal has ASCII letters alone there is no box, and a rule below the title.
    return lines[2:] if len(lines) > 1 and set(lines[1]) == {"-"} else lines


def _with_dashes(word: str) -> str:
    """Return an option as the help names it, for which tyro takes `_`, too; other words as is."""
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if word.startswith("--") else word


def _check_options(words: Sequence[str], prog: str, text: str) -> None:
    """Refuse the first of a command's words that is an option which its help does not name.

    Raises:
        UnknownOptionError: There is one.
    """
    options = dict.fromkeys(_OPTION.findall(text))
    for word in words:
        name = word.partition("=")[0]
        if word.startswith("--") and name not in options:
            raise UnknownOptionError(
                f"{prog} has no option {name!r}{nearest(name, options)}; see {prog} --help.",
                name,
                options,
            ) from None


def _refusal(box: Sequence[str], words: Sequence[str], prog: str, text: str) -> str:
    """Return what tyro refuses, without what to do.

    Args:
        box: The lines in which it says so.
        words: The command's arguments.
        prog: Its name.
        text: Its help.
    """
    head = " ".join(takewhile(lambda line: line.strip("─-"), box))
    if missing := re.match(r"Missing from .*?: (--\S+)?\s?(\S+) (.*?)\.? \(required\)", head):
        option, metavar, meaning = missing.groups()
        return f"{prog} needs {option or metavar}: {meaning[0].lower()}{meaning[1:]}"
    if unknown := re.match(r"Unrecognized options: (.+?)(?:, |$)", head):
        return f"{prog} does not know what {unknown[1]!r} is for; give its option before it"
    named = _OPTION.search(head)
    name = named[0] if named else ""
    takes = re.search(rf"^{re.escape(name)} ((?:{{[^}}]*}}|[^\s{{])+)", text, re.MULTILINE)
    if not (name and takes):
        return re.sub(r"\.\s+", "; ", head).removesuffix(".")
    value = value_after(name, words, None)
    got = "has no value" if value is None or value.startswith("--") else f"is {value!r}"
    return f"{name} {got}; it must be {_allowed_words(takes[1])}"


def _allowed_words(metavar: str) -> str:
    """Return what an option takes, such as `None or a whole number` for `{None}|INT`."""
    kinds = [_KINDS.get(part, part) for part in re.sub(r"\s", "", metavar).split("|")]
    # Names to choose from stand in braces; a list that commas separate does not.
    lists = [kind.strip("{}").split(",") if kind.startswith("{") else [kind] for kind in kinds]
    allowed = [name for names in lists for name in names]
    return " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
