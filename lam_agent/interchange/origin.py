"""What an export of lam_agent says of its dataset, for which the other format has no word."""

from __future__ import annotations

from typing import Any

from lam_agent.errors import EpisodeError

ORIGIN_KEY = "lam_agent"
"""Where it stands: an entry of the metadata, or the name of a file."""

ORIGIN_VERSION = 1


def check_origin(said: object) -> dict[str, Any]:
    """Return what an export said of its dataset; empty for a dataset of other origin.

    Args:
        said: What stands in the dataset; None if nothing does.

    Raises:
        EpisodeError: It has another format.
    """
    if not isinstance(said, dict):
        return {}
    if said.get("format_version") != ORIGIN_VERSION:
        raise EpisodeError(
            f"its metadata have format {said.get('format_version')}; this version reads "
            f"{ORIGIN_VERSION}; update lam_agent."
        )
    return said
