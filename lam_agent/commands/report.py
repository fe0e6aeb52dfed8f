"""`lam-agent report`: the report of a run, or a page that compares several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from lam_agent.config.parsing import parse_arguments
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class ReportArguments:
    """Draw the report of a run again, or a page that compares several runs of one protocol."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders or files like results.json. One: its report; several: a comparison."""

    output: Path | None = None
    """The page; none: report.html in the run folder, or comparison.html here for several runs."""


def _check_output(output: Path) -> None:
    """Refuse to replace what is no page."""
    if output.is_dir():
        raise ConfigError(f"the output {output} is a folder; name a file such as report.html.")
    if output.suffix != ".html":
        raise ConfigError(f"the output {output} does not end in .html; name it report.html.")


def command(arguments: Sequence[str]) -> None:
    """Draw a report and say where it is."""
    asked = parse_arguments(ReportArguments, arguments, "lam-agent report")
    if not asked.runs:
        raise ConfigError("no run is named; name a run folder or a results.json, or several.")
    if asked.output is not None:
        _check_output(asked.output)
    from lam_agent.report.write import (
        HTML,
        MARKDOWN,
        RESULTS,
        results_file,
        write_page,
        write_report,
    )

    if len(asked.runs) > 1:
        from lam_agent.report.comparison_html import write_comparison

        output = asked.output or Path("comparison.html")
        write_comparison([results_file(run) for run in asked.runs], output)
        print(f"Comparison: {output}")
        return
    file = results_file(asked.runs[0])
    if asked.output is None and file.name == RESULTS:
        write_report(file.parent)
        print(f"Report: {file.parent / HTML} and {file.parent / MARKDOWN}")
        return
    output = asked.output or file.with_suffix(".html")
    write_page(file, output)
    print(f"Report: {output}")
