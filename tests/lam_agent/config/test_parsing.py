"""Wrong words of a command: one sentence that names the option and what it takes."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lam_agent.__main__ import main
from lam_agent.config import parsing
from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError

Check = Callable[[object], str]

NUMBER = "it must be a whole number; see lam-agent run --help."
OR_NONE = "it must be None or a whole number; see lam-agent run --help."


@dataclass(frozen=True)
class Noisy:
    """Options whose reading prints something."""

    size: int = 3
    """Size."""

    def __post_init__(self) -> None:
        print("noise", file=sys.stderr)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "run --task-steam reach",
            "lam-agent run has no option '--task-steam' (did you mean '--task-stream'?); see "
            "lam-agent run --help.",
        ),
        (
            "run --eval.horizn=3 --seed x",
            "lam-agent run has no option '--eval.horizn' (did you mean '--eval.horizon'?); see "
            "lam-agent run --help.",
        ),
        (
            "info --jsn runs/a",
            "lam-agent info has no option '--jsn' (did you mean '--json'?); see lam-agent info "
            "--help.",
        ),
        (
            "run --task-stream reach push",
            "lam-agent run does not know what 'push' is for; give its option before it; see "
            "lam-agent run --help.",
        ),
        ("run --seed x", f"--seed is 'x'; {NUMBER}"),
        ("run --eval.validation_episodes=x", f"--eval.validation-episodes is 'x'; {NUMBER}"),
        ("run --seed", f"--seed has no value; {NUMBER}"),
        ("run --seed --video 2", f"--seed has no value; {NUMBER}"),
        ("run --threads many", f"--threads is 'many'; {OR_NONE}"),
        (
            "run --randomise.light on",
            "--randomise.light is 'on'; it must be a number; see lam-agent run --help.",
        ),
        (
            "run --replay.store disk",
            "--replay.store is 'disk'; it must be images, features or auto; see lam-agent run "
            "--help.",
        ),
        (
            "benchmark --task-stream reach --seeds",
            "--seeds has no value; it must be SEED,…; see lam-agent benchmark --help.",
        ),
        (
            "eval",
            "lam-agent eval needs PATH: a checkpoint, or a run, of which the last checkpoint is "
            "taken; see lam-agent eval --help.",
        ),
        (
            "collect",
            "lam-agent collect needs --tasks: tasks or named streams, separated by commas; see "
            "lam-agent collect --help.",
        ),
    ],
)
@pytest.mark.parametrize(("encoding", "columns"), [("utf-8", 80), ("utf-8", 50), ("ascii", 80)])
def test_wrong_words_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    encoding: str,
    columns: int,
    arguments: str,
    sentence: str,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))  # Of a terminal, in which boxes are drawn.
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    assert main(arguments.split()) == 2
    assert written.getvalue() == b""
    assert capsys.readouterr().err == f"lam-agent: error: {sentence}\n"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (  # Colours.
            "\x1b[31m╭─ Value error ─╮\x1b[0m\n│ \x1b[1mError parsing --seed:\x1b[0m no │\n╰────╯",
            "Error parsing --seed: no; see lam-agent x --help.",
        ),
        (  # No letters but ASCII.
            " Value error \n ----------- \n  Error parsing PATH: no \n  ----\n  Help \n",
            "Error parsing PATH: no; see lam-agent x --help.",
        ),
        (  # What it has never said.
            "An option is strange. Leave it away.\n\nHelp is there.",
            "An option is strange; Leave it away; see lam-agent x --help.",
        ),
    ],
)
def test_other_words_of_tyro_are_told_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Check,
    said: str,
    sentence: str,
) -> None:
    def refuse(*arguments: object, args: list[str], **options: object) -> None:
        if args != ["--help"]:
            print(said, file=sys.stderr)
        sys.exit(2)

    monkeypatch.setattr(parsing.tyro, "cli", refuse)
    with pytest.raises(ConfigError) as caught:
        parse_arguments(Noisy, [], "lam-agent x")
    assert check_sentence(caught.value) == sentence
    assert capsys.readouterr().err == ""


def test_what_is_printed_meanwhile_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_arguments(Noisy, ["--size", "4"], "lam-agent x").size == 4
    assert capsys.readouterr().err == "noise\n"
