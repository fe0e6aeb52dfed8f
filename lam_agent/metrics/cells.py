"""Success rates over episodes, cell by cell: checks that every table of them shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lam_agent.errors import ResultsError

FloatArray = npt.NDArray[np.float64]

RATES = ("success", "success_at_end", "episodes")
"""The arrays of a table: share of the episodes in which a task's predicate held at any step, and at
the last one, and how many there were; NaN where not evaluated."""

_COUNT_TOLERANCE = 0.01
"""Episodes by which a rate may miss a whole count, for rates that were rounded when written."""


def check_cells(arrays: Mapping[str, FloatArray], prefix: str = "") -> None:
    """Refuse cells that are no shares of a whole number of episodes.

    Args:
        arrays: The `RATES`, all of one shape.
        prefix: What stands before their names in errors.

    Raises:
        ResultsError: Naming what is wrong.
    """
    success = arrays["success"]
    evaluated = ~np.isnan(success)
    for name in RATES[1:]:
        if not np.array_equal(np.isnan(arrays[name]), ~evaluated):
            raise ResultsError(
                f"{prefix}{name} and {prefix}success are not evaluated in the same cells; "
                "fill a cell of all three or of none."
            )
    episodes = arrays["episodes"][evaluated]
    uncounted = (episodes < 1) | (episodes != np.rint(episodes)) | np.isinf(episodes)
    if np.any(uncounted):
        raise ResultsError(
            f"{prefix}episodes holds {_first(episodes, uncounted)}; each evaluated cell must hold "
            "a whole number, at least 1."
        )
    for name in RATES[:2]:
        rates = arrays[name][evaluated]
        outside = (rates < 0) | (rates > 1)
        if np.any(outside):
            raise ResultsError(
                f"{prefix}{name} holds {_first(rates, outside)}; a success rate must lie in [0, 1]."
            )
        counts = rates * episodes
        broken = np.abs(counts - np.rint(counts)) > _COUNT_TOLERANCE
        if np.any(broken):
            raise ResultsError(
                f"{prefix}{name} holds {_first(rates, broken)} of {_first(episodes, broken)} "
                "episodes; a success rate must be a whole number of successes over the episodes."
            )
    at_end = np.rint(arrays["success_at_end"][evaluated] * episodes)
    if np.any(at_end > np.rint(success[evaluated] * episodes)):
        raise ResultsError(
            f"{prefix}success_at_end exceeds {prefix}success in a cell; an episode that ends in "
            "success is one."
        )


def _first(values: FloatArray, chosen: npt.NDArray[np.bool_]) -> str:
    """Return the first chosen value, for a message."""
    return f"{values[chosen][0]:g}"
