"""Templates to self-contained pages: nothing is loaded from elsewhere, and no text is markup."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lam_agent import __version__
from lam_agent.report import words
from lam_agent.report.heat import legend
from lam_agent.report.plot import marker_path


@cache
def _environment() -> Environment:
    """Return the templates of this package; they escape whatever a run calls its tasks."""
    environment = Environment(
        loader=PackageLoader("lam_agent.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words, legend=legend, marker_path=marker_path, version=__version__
    )
    return environment


def render_page(template: str, **content: Any) -> str:
    """Return a page.

    Args:
        template: File name of the template.
        content: What it shows.
    """
    return _environment().get_template(template).render(content) + "\n"
