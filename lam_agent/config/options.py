"""Options of the command line: one of several names, and lists that commas separate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar

import tyro

from lam_agent.config.checks import DEVICES

_IMPORT = "--import"

Default = TypeVar("Default", str, None)


def split_commas(words: str) -> tuple[str, ...]:
    """Return what stands between commas, without empty entries."""
    return tuple(word.strip() for word in words.split(",") if word.strip())


def comma_list(
    metavar: str, *, is_distinct: bool = False
) -> tyro.constructors.PrimitiveConstructorSpec[tuple[str, ...]]:
    """Return how tyro reads and shows a list that is separated by commas.

    Args:
        metavar: What its help shows.
        is_distinct: Whether entries that come again are left out.
    """

    def read(words: list[str]) -> tuple[str, ...]:
        entries = split_commas(words[0])
        return tuple(dict.fromkeys(entries)) if is_distinct else entries

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(value)],
    )


def one_of(names: Sequence[str]) -> tyro.constructors.PrimitiveConstructorSpec[str]:
    """Return how tyro shows names to choose from; the configuration checks the choice itself.

    Args:
        names: The names.
    """
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(names) + "}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: [value],
    )


DeviceName = Annotated[str, one_of(DEVICES)]
"""Where the policy is."""

TaskStream = Annotated[tuple[str, ...], comma_list("TASK,TASK,…")]
"""Tasks and named task streams that the command line separates by commas."""

ModuleNames = Annotated[
    tuple[str, ...],
    comma_list("MODULE,…", is_distinct=True),
    tyro.conf.arg(name="import"),
]
"""Modules that register tasks of one's own; the flag is `--import`."""


def value_after(flag: str, arguments: Sequence[str], default: Default) -> str | Default:
    """Return the value of a flag before the others are parsed, whose defaults depend on it.

    Args:
        flag: The flag, with its dashes.
        arguments: The command's arguments; of several values the last one counts.
        default: What is returned where the flag is not there.
    """
    value: str | Default = default
    for index, argument in enumerate(arguments):
        if argument == flag and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
    return value


def merge_imports(arguments: Sequence[str], given: Iterable[str] = ()) -> list[str]:
    """Make one flag of all `--import` flags, of which a parser would take the last only.

    Args:
        arguments: The command's arguments.
        given: Modules that come first, such as those of a saved configuration.
    """
    modules, others = list(given), []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == _IMPORT and words and not words[0].startswith("-"):
            modules.extend(split_commas(words.pop(0)))
        elif word.startswith(f"{_IMPORT}="):
            modules.extend(split_commas(word.partition("=")[2]))
        else:
            others.append(word)
    return [*others, _IMPORT, ",".join(dict.fromkeys(modules))] if modules else others
