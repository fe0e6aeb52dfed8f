"""The log: rows that are written once, also where a run goes on."""

from pathlib import Path

import pytest

from lam_agent.loggers.metric_logger import MetricLogger


def cells(path: Path) -> list[tuple[int, int]]:
    """Return row and column of each evaluation in a log."""
    rows = MetricLogger(path).rows()
    return [(row["row"], row["column"]) for row in rows if row["kind"] == "evaluation"]


def test_a_row_is_written_once_and_again_after_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricLogger(path)
    for _ in range(2):
        log.write_once("evaluation", {"row": 0, "column": 0}, success=0.5)
    kept = log.num_bytes
    log.write("evaluation", row=0, column=1, success=0.5)
    log.write("training", row=0, column=2, loss=0.5)
    for column in (1, 2):
        log.write_once("evaluation", {"row": 0, "column": column}, success=0.5)
    assert cells(path) == [(0, 0), (0, 1), (0, 2)]
    log.cut(kept)
    for column in (0, 1):
        log.write_once("evaluation", {"row": 0, "column": column}, success=0.5)
    assert cells(path) == [(0, 0), (0, 1)]


def test_a_logger_knows_what_another_one_wrote_before(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    MetricLogger(path).write("evaluation", row=0, column=0, success=0.5)
    MetricLogger(path).write_once("evaluation", {"row": 0, "column": 0}, success=0.5)
    assert cells(path) == [(0, 0)]


def test_the_log_is_not_read_again_for_each_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MetricLogger(tmp_path / "metrics.jsonl")
    log.write_once("evaluation", {"row": 0, "column": 0}, success=0.5)
    monkeypatch.delattr(MetricLogger, "rows")
    for column in (0, 1, 1):
        log.write_once("evaluation", {"row": 0, "column": column}, success=0.5)
    monkeypatch.undo()
    assert cells(tmp_path / "metrics.jsonl") == [(0, 0), (0, 1)]
