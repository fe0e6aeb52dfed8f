"""What a command prints holds paths and names as they are, whatever brackets are in them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lam_agent.progress import RunProgress, plain_console

STRANGE = "r[a]b [red]c[/x] :dog:"


def test_lines_and_bars_hold_words_as_they_are() -> None:
    text = io.StringIO()
    progress = RunProgress(Console(file=text, force_terminal=True, width=200))
    progress.say(f"Results: {STRANGE}/results.json")
    with progress.phase(f"writing {STRANGE}"):
        pass
    assert f"Results: {STRANGE}/results.json\n" in text.getvalue()
    assert f"writing {STRANGE}" in text.getvalue()


def test_the_console_of_commands_prints_words_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain_console().print(STRANGE)
    assert capsys.readouterr().out == f"{STRANGE}\n"
