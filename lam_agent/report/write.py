"""The reports of a run folder, drawn from `results.json` and `metrics.jsonl` alone."""

from __future__ import annotations

import os
from pathlib import Path

from lam_agent.files import write_text_atomically
from lam_agent.report.events import Events, read_events
from lam_agent.report.html import render_html
from lam_agent.report.markdown import render_markdown
from lam_agent.results import read_results

RESULTS, EVENTS = "results.json", "metrics.jsonl"
MARKDOWN, HTML = "report.md", "report.html"


def write_report(folder: Path) -> None:
    """Draw `report.md` and `report.html` in a run folder; each is whole or as it was.

    Raises:
        ResultsError: The results or the log cannot be read.
    """
    results = read_results(folder / RESULTS)
    write_text_atomically(folder / MARKDOWN, render_markdown(results))
    write_text_atomically(folder / HTML, render_html(results, read_events(folder / EVENTS)))


def write_page(results_file: Path, output: Path) -> None:
    """Draw the page of a run anywhere; its videos are linked where they lie.

    Args:
        results_file: The results; the log is read where it stands beside them by its name.
        output: The page.
    """
    folder = results_file.parent
    base = os.path.relpath(folder.resolve(), output.parent.resolve())
    is_run = results_file.name == RESULTS
    events = read_events(folder / EVENTS) if is_run else Events()
    page = render_html(read_results(results_file), events, base="" if base == "." else base)
    write_text_atomically(output, page)


def results_file(run: Path) -> Path:
    """Return the results of a run that is named by its folder or by the file itself."""
    return run / RESULTS if run.is_dir() else run
