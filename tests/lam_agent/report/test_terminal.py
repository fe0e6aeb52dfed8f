"""The tables in the terminal show the success matrix and the metrics, also where it is narrow."""

import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from lam_agent.report.terminal import print_results
from lam_agent.results import Results

Printed = Callable[[Results], str]


@pytest.fixture
def printed() -> Printed:
    """Return a function that prints results to a terminal of 80 columns and gives the text."""

    def run(results: Results) -> str:
        text = io.StringIO()
        print_results(results, Console(file=text, width=80))
        return text.getvalue()

    return run


def test_matrix_and_metrics_stand_in_eighty_columns(results: Results, printed: Printed) -> None:
    text = printed(results)
    for part in ("before", "after push", "reach (visit 2)", "96.0 %", "98.0 %", "[86.5, 98.9]"):
        assert part in text
    assert "–" in text
    rows = {line.split("│")[1].strip(): line for line in text.splitlines() if line.startswith("│")}
    assert "0.893" in rows["average success"]
    assert "[0.841, 0.936]" in rows["average success"]
    assert "not measured" in rows["area under the success curve (AUC)"]
    assert max(len(line) for line in text.splitlines()) <= 80


def test_names_in_brackets_are_no_markup(results: Results, printed: Printed) -> None:
    strange = dataclasses.replace(results, tasks=("[red]a[/red]", "push", "reach"))
    assert "[red]a[/red]" in printed(strange)
