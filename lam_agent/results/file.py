"""`results.json`, read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

from lam_agent.errors import ResultsError
from lam_agent.files import write_text_atomically
from lam_agent.results.checks import expect
from lam_agent.results.content import Results
from lam_agent.results.plain import from_plain, seal, to_plain


def write_results(path: Path, results: Results) -> None:
    """Write results as JSON; the file is whole or, if that fails, as it was."""
    try:
        plain = to_plain(results)
        text = json.dumps({**plain, "sha256": seal(plain)}, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ResultsError(f"the results hold what JSON cannot ({error}); remove it.") from error
    write_text_atomically(path, text + "\n")


def read_results(path: Path) -> Results:
    """Read and check the results of a run.

    Raises:
        ResultsError: The file is missing, no JSON, incomplete, inconsistent or of a newer format.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        return from_plain(expect(data, dict, "the file"))
    except OSError as error:
        raise ResultsError(
            f"{path} cannot be read ({error.strerror}); name the results.json of a run."
        ) from error
    except ResultsError as error:
        raise ResultsError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ResultsError(
            f"{path} is no JSON ({error}); name the results.json of a run."
        ) from error


def _refuse_constant(name: str) -> NoReturn:
    """Refuse the NaN and Infinity that Python's parser would take."""
    raise ResultsError(f"it holds {name}; cells without a value must be null.")
