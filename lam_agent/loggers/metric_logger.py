"""metrics.jsonl: one JSON object a line, appended as a run goes."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lam_agent.errors import RunFolderError
from lam_agent.loggers.protocol import FanOut

Value = float | int | str | None


class MetricLogger:
    """Appends rows to a file and hands them to another logger.

    Args:
        path: The file; it is made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Takes the same rows; pictures as the bytes of a PNG file.
        self.also = FanOut()
        #: Kind and names of keys -> the keys that are written; read from the file when first asked.
        self._written: dict[tuple[str, tuple[str, ...]], set[tuple[Value, ...]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, kind: str, **values: Value) -> None:
        """Append one row.

        Args:
            kind: What the row is, such as `validation`.
            values: Its numbers and words.
        """
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")
        for (of_kind, names), keys in self._written.items():
            if of_kind == kind and values.keys() >= set(names):
                keys.add(tuple(values[name] for name in names))
        png = values.get("png")
        picture = {"png": base64.b64decode(png)} if isinstance(png, str) else {}
        self.also.write(kind, **{**values, **picture})

    def write_once(self, kind: str, keys: dict[str, Value], **values: Value) -> None:
        """Append a row unless there is one of that kind with the same keys."""
        names = tuple(keys)
        if (kind, names) not in self._written:
            self._written[kind, names] = {
                tuple(row[name] for name in names)
                for row in self.rows()
                if row.get("kind") == kind and row.keys() >= set(names)
            }
        if tuple(keys.values()) not in self._written[kind, names]:
            self.write(kind, **keys, **values)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows so far."""
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                yield json.loads(line)

    def sync(self) -> None:
        """Force the rows to the disk."""
        if self._path.exists():
            with self._path.open("a") as file:
                os.fsync(file.fileno())

    @property
    def num_bytes(self) -> int:
        """Return the length of the file."""
        return self._path.stat().st_size if self._path.exists() else 0

    def cut(self, num_bytes: int) -> None:
        """Forget the rows that were written after the file had a length.

        Raises:
            RunFolderError: The file is shorter than that.
        """
        if self.num_bytes < num_bytes:
            raise RunFolderError(
                f"{self._path} has {self.num_bytes} bytes; the run had written {num_bytes}, so it "
                "was changed: put it back as it was or start the run anew."
            )
        if self._path.exists():
            os.truncate(self._path, num_bytes)
        self._written.clear()
