"""`metrics.jsonl` as reports need it: training and validation curves and first frames."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lam_agent.errors import ResultsError

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve; NaN where a value was not measured."""

    step: int
    loss: float
    success: float = math.nan


@dataclass
class Events:
    """What `metrics.jsonl` tells beyond the results. A step that was logged again counts once.

    Attributes:
        training: Position in the stream -> step -> point.
        validation: The same for validation, with success.
        first_frames: Task -> camera -> PNG as base64.
    """

    training: dict[int, dict[int, CurvePoint]] = field(default_factory=dict)
    validation: dict[int, dict[int, CurvePoint]] = field(default_factory=dict)
    first_frames: dict[str, dict[str, str]] = field(default_factory=dict)


def read_events(path: Path) -> Events:
    """Read the log of a run; no file is no events.

    The first line may be anything, kinds that are not known are left out, and so is a last line
    that a killed run left torn.

    Raises:
        ResultsError: Another line is no JSON object, or lacks what its kind must have.
    """
    events = Events()
    if not path.exists():
        return events
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no JSON object")
            _add(events, row)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if number in (1, len(lines)):
                continue
            raise ResultsError(
                f"line {number} of {path} cannot be read ({_reason(error)}); it must be a JSON "
                "object as the run wrote it, so mend or remove the line."
            ) from error
    return events


def _add(events: Events, row: Mapping[str, Any]) -> None:
    """Take one row in."""
    match row.get("kind"):
        case "training":
            point = CurvePoint(_count(row, "step"), _number(row.get("loss"), "loss"))
            events.training.setdefault(_count(row, "position"), {})[point.step] = point
        case "validation":
            point = curve_point(row)
            events.validation.setdefault(_count(row, "position"), {})[point.step] = point
        case "first_frame":
            png = _text(row, "png")
            if not base64.b64decode(png, validate=True).startswith(_PNG):
                raise ValueError("png is no PNG picture")
            events.first_frames.setdefault(_text(row, "task"), {})[_text(row, "camera")] = png


def curve_point(row: Mapping[str, Any]) -> CurvePoint:
    """Return one validation as a point of its curve.

    Raises:
        KeyError: It has no step.
        ValueError: A value is no number.
    """
    loss, success = _number(row.get("loss"), "loss"), _number(row.get("success"), "success")
    if not (math.isnan(success) or 0 <= success <= 1):
        raise ValueError(f"success is {success:g}, not in [0, 1]")
    return CurvePoint(_count(row, "step"), loss, success)


def _count(row: Mapping[str, Any], key: str) -> int:
    """Return a whole number from 0 on."""
    value = row[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key} is no whole number from 0 on")
    return value


def _number(value: object, key: str) -> float:
    """Return a number; nothing, NaN and infinity are all NaN, a gap in the curve."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is no number")
    return float(value) if math.isfinite(value) else math.nan


def _text(row: Mapping[str, Any], key: str) -> str:
    """Return words."""
    value = row[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def _reason(error: Exception) -> str:
    """Return why a line cannot be read, as part of a sentence."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "it is no JSON"
    if isinstance(error, binascii.Error):
        return "png is no base64"
    return str(error)
