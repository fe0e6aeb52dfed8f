"""`metrics.jsonl`: what reports take from it, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lam_agent.errors import ResultsError
from lam_agent.report.events import CurvePoint, read_events

HEADER = "anything"
TRAINING = {"kind": "training", "position": 0, "task": "reach", "step": 50, "loss": 0.5}
VALIDATION = {**TRAINING, "kind": "validation", "success": 0.75}


def write(path: Path, *lines: Any, end: str = "\n") -> Path:
    """Write a log; what is no text is written as JSON."""
    rows = [line if isinstance(line, str) else json.dumps(line) for line in (HEADER, *lines)]
    path.write_text("\n".join(rows) + end)
    return path


def test_no_file_is_no_events(tmp_path: Path) -> None:
    events = read_events(tmp_path / "metrics.jsonl")
    assert (events.training, events.validation, events.first_frames) == ({}, {}, {})


def test_curves_and_pictures_are_read_and_a_step_counts_once(tmp_path: Path, png: str) -> None:
    frame = {"kind": "first_frame", "task": "reach", "camera": "front", "png": png}
    again = {**TRAINING, "loss": 0.25}
    unknown = {"kind": "weather", "position": "nowhere"}
    events = read_events(write(tmp_path / "m", TRAINING, again, VALIDATION, frame, unknown, ""))
    assert events.training == {
        0: {50: CurvePoint(50, 0.25, pytest.approx(float("nan"), nan_ok=True))}
    }
    assert events.validation == {0: {50: CurvePoint(50, 0.5, 0.75)}}
    assert events.first_frames == {"reach": {"front": png}}


def test_a_torn_last_line_is_ignored_and_a_whole_one_is_not(tmp_path: Path) -> None:
    torn = read_events(write(tmp_path / "m", TRAINING, '{"kind": "trai', end=""))
    assert list(torn.training[0]) == [50]
    whole = read_events(write(tmp_path / "m", {**TRAINING, "step": 100}, end=""))
    assert list(whole.training[0]) == [100]


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_value_that_is_no_finite_number_is_a_gap(tmp_path: Path, value: float | None) -> None:
    events = read_events(write(tmp_path / "m", {**VALIDATION, "loss": value, "success": None}))
    point = events.validation[0][50]
    assert point.loss != point.loss and point.success != point.success


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "it is no JSON"),
        ("\x00", "it is no JSON"),
        ("[1]", "it is no JSON object"),
        ({"kind": "training", "position": 0, "loss": 1.0}, "step is missing"),
        ({**TRAINING, "step": -1}, "step is no whole number"),
        ({**TRAINING, "step": True}, "step is no whole number"),
        ({**TRAINING, "position": "0"}, "position is no whole number"),
        ({**TRAINING, "loss": "low"}, "loss is no number"),
        ({**VALIDATION, "success": 1.5}, "success is 1.5, not in"),
        ({"kind": "first_frame", "task": "a", "camera": "b", "png": "!"}, "png is no base64"),
        ({"kind": "first_frame", "task": "a", "camera": "b", "png": "aGk="}, "png is no PNG"),
        ({"kind": "first_frame", "task": "a", "camera": 1, "png": "aGk="}, "png is no PNG|no text"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_number(
    tmp_path: Path, line: Any, reason: str, check_sentence: Callable[[object], str]
) -> None:
    path = write(tmp_path / "metrics.jsonl", TRAINING, line, TRAINING)
    with pytest.raises(ResultsError, match=f"line 3 of .*{reason}") as caught:
        read_events(path)
    check_sentence(caught.value)
