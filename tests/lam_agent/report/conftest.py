"""Results with every kind of value, for the reports."""

import base64
import dataclasses
import struct
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from lam_agent.metrics import compute_metrics
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.results import Cost, Results, WallTime

NAN = float("nan")


@pytest.fixture
def results() -> Results:
    """Results of a run that learned reach twice, all of its numbers different."""
    matrix = SuccessMatrix(
        [[0.02, 0.08, 0.02], [0.96, 0.1, NAN], [0.74, 0.88, NAN], [0.98, 0.7, 1.0]],
        [[0.0, 0.04, 0.0], [0.9, 0.06, NAN], [0.72, 0.78, NAN], [0.94, 0.62, 0.92]],
        [[50, 50, 50], [50, 50, NAN], [50, 50, NAN], [50, 50, 25]],
    )
    return Results(
        tasks=("reach", "push", "reach"),
        strategy="replay",
        seed=7,
        protocol={
            "episodes": 50,
            "horizon": 200,
            "validation": {"episodes": 20},
            "starts": [11, 12],
        },
        matrix=matrix,
        metrics={
            "average_success": 0.893,
            "forgetting": 0.053,
            "nbt": -1e-17,
            "auc": None,
            "retention": 0.932,
            "robust_retention": 0.811,
        },
        cost=Cost(
            WallTime(61.5, 302.75, 40.25, 410.5), 2345.6, 63_998_976, 120_456_789, 412_345, 501_234
        ),
        experiences_done=3,
        intervals={"average_success": (0.841, 0.936), "forgetting": (-0.012, 0.118), "auc": None},
        per_task=(
            {"task": "reach", "gradient_steps": 750, "loss": 0.0125, "stopped_early": True},
            {"task": "push", "gradient_steps": 1250, "note": None},
        ),
        versions={"torch": "2.13.0", "mujoco": "4.0.0"},
    )


class Page(HTMLParser):
    """A page taken apart: its texts, tags with attributes, and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self._is_cell = False
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._is_cell = self._is_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._is_cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()

    def row(self, *start: str) -> list[str]:
        """Return the first row that starts with these cells, without them."""
        found = next(row for row in self.rows if row[: len(start)] == list(start))
        return found[len(start) :]

    def all_of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every tag of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def take_apart() -> Callable[[str], Page]:
    """Take a page apart."""
    return Page


@pytest.fixture(scope="session")
def png() -> str:
    """A red picture of one pixel as base64."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


@pytest.fixture
def make_results(results: Results) -> Callable[..., Results]:
    """Make results of a stream on the lower triangle; keywords change any field."""

    def make(tasks: tuple[str, ...], seed: int = 0, **changes: Any) -> Results:
        random = np.random.default_rng(seed)
        matrix = SuccessMatrix.empty(len(tasks))
        for row in range(len(tasks) + 1):
            for column in range(len(tasks) if row == 0 else row):
                count = int(random.integers(0 if row == 0 else 30, 51))
                matrix = matrix.with_cell(
                    row, column, successes=count, successes_at_end=count // 2, episodes=50
                )
        fields: dict[str, Any] = {
            "tasks": tasks,
            "seed": seed,
            "matrix": matrix,
            "metrics": compute_metrics(matrix),
            "intervals": {},
            "per_task": (),
            "experiences_done": len(tasks),
        }
        return dataclasses.replace(results, **{**fields, **changes})

    return make
