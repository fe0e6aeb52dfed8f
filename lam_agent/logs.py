"""metrics.jsonl: one JSON object a line, appended as a run goes."""

from __future__ import annotations

import json
from pathlib import Path


class MetricLogger:
    """Appends rows to a file.

    Args:
        path: The file; it is made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, kind: str, **values: float | int | str | None) -> None:
        """Append one row.

        Args:
            kind: What the row is, such as `validation`.
            values: Its numbers and words.
        """
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")
