"""`results.json`: all that a run measured, enough to draw its report again.

Other programs read this file. Its keys are stable; more may come to stand beside them.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.files import write_text_atomically
from lam_agent.metrics.intervals import Interval
from lam_agent.metrics.perturbed import Perturbed
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import FloatArray, SuccessMatrix

FORMAT_VERSION = 1
"""Newest format of `results.json` that this version writes and reads."""

_SEALED = (
    "format_version",
    "tasks",
    "strategy",
    "seed",
    "finished",
    "experiences_done",
    "protocol",
    "success",
    "success_at_end",
    "episodes",
    "metrics",
    "intervals",
    "cost",
    "per_task",
    "versions",
    "videos",
    "references",
    "pretraining",
    "perturbed",
)


_BEFORE = "pretraining"
_RATES = ("success", "success_at_end", "episodes")


@dataclass(frozen=True)
class WallTime:
    """Seconds of a run by phase.

    `encode` is what frozen encoders take to see all pictures once. Where workers measure beside
    training, `evaluate` is what the run waits for them, or measures itself.
    """

    collect: float
    adapt: float
    evaluate: float
    total: float
    encode: float = 0.0

    def __post_init__(self) -> None:
        _check_amounts(self, "cost.wall_time_s.")


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds, megabytes of 10^6 bytes, bytes and parameters.

    `total_parameters` counts what the adaptation mode adds to the policy while it is trained.
    `strategy_bytes` is all that the strategy keeps of earlier tasks, the replay buffer included:
    frames, importances, anchors, owners of weights; None in results of earlier versions.
    """

    wall_time_s: WallTime
    peak_memory_mb: float
    replay_bytes: int
    demonstration_bytes: int
    trainable_parameters: int
    total_parameters: int
    strategy_bytes: int | None = None

    def __post_init__(self) -> None:
        _check_amounts(self, "cost.")


@dataclass(frozen=True)
class Results:
    """What a run measured.

    Attributes:
        tasks: Names along the stream, one for each column of the matrix.
        strategy: Continual-learning strategy.
        seed: Seed of the run.
        protocol: How success was measured: `episodes`, `horizon` and more, as JSON holds it.
        matrix: Success of each task, before and along the stream.
        metrics: Values by name; None where not measured.
        cost: What the run took.
        experiences_done: Experiences that are learned and evaluated.
        intervals: Intervals of the metrics by name; None where there is none.
        per_task: More about each task, as JSON holds it.
        versions: Versions of the packages by name.
        finished: Whether the whole stream is done.
        videos: `task`, `outcome`, `episode` and `path` of each, relative to the run folder.
        references: Bounds by name (`single_task`, `joint`, `naive`); None where not measured.
        pretraining: Success on tasks that the initial weights learned, before and after the stream.
        perturbed: Success in randomised scenes; None where not measured.
    """

    tasks: tuple[str, ...]
    strategy: str
    seed: int
    protocol: Mapping[str, Any]
    matrix: SuccessMatrix
    metrics: Mapping[str, float | None]
    cost: Cost
    experiences_done: int
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    per_task: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    finished: bool = True
    videos: tuple[Mapping[str, Any], ...] = ()
    references: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    pretraining: PretrainingSuccess = field(default_factory=lambda: PretrainingSuccess.empty(()))
    perturbed: Perturbed | None = None

    def __post_init__(self) -> None:
        if len(self.tasks) != self.matrix.num_tasks:
            raise ResultsError(
                f"the success matrix has {self.matrix.num_tasks} columns for {len(self.tasks)} "
                "tasks; there must be one for each."
            )
        for key in ("episodes", "horizon"):
            if key not in self.protocol:
                raise ResultsError(f"protocol.{key} is missing; it must be a whole number.")
        if self.perturbed and self.perturbed.matrix.num_tasks != len(self.tasks):
            raise ResultsError(
                f"perturbed has {self.perturbed.matrix.num_tasks} columns for {len(self.tasks)} "
                "tasks; there must be one for each."
            )
        for name, value in self.metrics.items():
            if value is not None and not _is_number(value):
                raise ResultsError(f"metrics.{name} is {value!r}; it must be a number or null.")
        for name, interval in self.intervals.items():
            if interval is not None and not _is_interval(interval):
                raise ResultsError(
                    f"intervals.{name} is {interval!r}; it must be two numbers in order or null."
                )
        if not 0 <= self.experiences_done <= len(self.tasks):
            raise ResultsError(
                f"experiences_done is {self.experiences_done}; it must be from 0 to "
                f"{len(self.tasks)}."
            )
        if self.finished and self.experiences_done < len(self.tasks):
            raise ResultsError(
                f"finished is true after {self.experiences_done} of {len(self.tasks)} experiences; "
                "it must be false until all are done."
            )


def learning_areas(per_task: Sequence[Mapping[str, Any]], count: int) -> list[float] | None:
    """Return the area under the learning curve of each task; None unless there are `count`."""
    areas = [entry.get("learning_area") for entry in per_task]
    measured = [float(area) for area in areas if area is not None]
    return measured if len(measured) == count else None


def seal(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what `results.json` holds; keys that others added do not count."""
    sealed = {key: data[key] for key in _SEALED if key in data}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def write_results(path: Path, results: Results) -> None:
    """Write results as JSON; the file is whole or, if that fails, as it was."""
    try:
        plain = _to_plain(results)
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
        return _from_plain(_expect(data, dict, "the file"))
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


def _to_plain(results: Results) -> dict[str, Any]:
    """Return the content of `results.json`."""
    times = {item.name: getattr(results.cost.wall_time_s, item.name) for item in fields(WallTime)}
    amounts = {item.name: getattr(results.cost, item.name) for item in fields(Cost)}
    return {
        "format_version": FORMAT_VERSION,
        "tasks": list(results.tasks),
        "strategy": results.strategy,
        "seed": results.seed,
        "finished": results.finished,
        "experiences_done": results.experiences_done,
        "protocol": dict(results.protocol),
        **_matrix_to_plain(results.matrix),
        "metrics": dict(results.metrics),
        "intervals": dict(results.intervals),
        "cost": {**amounts, "wall_time_s": times},
        "per_task": [dict(entry) for entry in results.per_task],
        "versions": dict(results.versions),
        "videos": [dict(video) for video in results.videos],
        "references": {name: bound and dict(bound) for name, bound in results.references.items()},
        **_pretraining_to_plain(results.pretraining),
        **_perturbed_to_plain(results.perturbed),
    }


def _from_plain(data: Mapping[str, Any]) -> Results:
    """Check the content of `results.json` and make the results of it."""
    version = _take(data, "format_version", int)
    if version > FORMAT_VERSION:
        raise ResultsError(
            f"the format version is {version}; this lam_agent reads up to {FORMAT_VERSION}, so "
            "install a newer one."
        )
    tasks = tuple(_expect(name, str, "an entry of tasks") for name in _take(data, "tasks", list))
    intervals = _expect(data.get("intervals", {}), dict, "intervals")
    results = Results(
        tasks=tasks,
        strategy=_take(data, "strategy", str),
        seed=_take(data, "seed", int),
        protocol=_take(data, "protocol", dict),
        matrix=_matrix_from_plain(data),
        metrics=_take(data, "metrics", dict),
        cost=_cost_from_plain(_take(data, "cost", dict)),
        experiences_done=_expect(data.get("experiences_done", len(tasks)), int, "experiences_done"),
        intervals={name: tuple(v) if isinstance(v, list) else v for name, v in intervals.items()},
        per_task=_take_objects(data, "per_task"),
        versions=_expect(data.get("versions", {}), dict, "versions"),
        finished=_expect(data.get("finished", True), bool, "finished"),
        videos=_take_objects(data, "videos"),
        references={
            name: None if bound is None else _expect(bound, dict, f"references.{name}")
            for name, bound in _expect(data.get("references") or {}, dict, "references").items()
        },
        pretraining=_pretraining_from_plain(_expect(data.get("pretraining", {}), dict, _BEFORE)),
        perturbed=_perturbed_from_plain(_expect(data.get("perturbed", {}), dict, "perturbed")),
    )
    if _take(data, "sha256", str) != seal(data):
        raise ResultsError(
            "the results were changed after they were written (their SHA-256 differs); put the "
            "file back as it was."
        )
    return results


def _pretraining_to_plain(pretraining: PretrainingSuccess) -> dict[str, Any]:
    """Return what stands in `results.json` where tasks of pretraining are measured."""
    if not pretraining.tasks:
        return {}
    rows = {name: _rows(getattr(pretraining, name)) for name in _RATES}
    return {_BEFORE: {"tasks": list(pretraining.tasks), **rows}}


def _pretraining_from_plain(data: Mapping[str, Any]) -> PretrainingSuccess:
    """Undo it; results without have none."""
    if not data:
        return PretrainingSuccess.empty(())
    names = _take(data, "tasks", list, f"{_BEFORE}.")
    tasks = tuple(_expect(name, str, f"an entry of {_BEFORE}.tasks") for name in names)
    return PretrainingSuccess(tasks, *(_take_matrix(data, name, f"{_BEFORE}.") for name in _RATES))


def _perturbed_to_plain(perturbed: Perturbed | None) -> dict[str, Any]:
    """Return what stands in `results.json` where randomised scenes are measured."""
    if perturbed is None:
        return {}
    rows = _matrix_to_plain(perturbed.matrix)
    return {"perturbed": {"randomisation": dict(perturbed.randomisation), **rows}}


def _perturbed_from_plain(data: Mapping[str, Any]) -> Perturbed | None:
    """Undo it; results without have none."""
    if not data:
        return None
    prefix = "perturbed."
    settings = _take(data, "randomisation", dict, prefix)
    for name, value in settings.items():
        _expect(value, float, f"{prefix}randomisation.{name}")
    return Perturbed(settings, _matrix_from_plain(data, prefix))


def _matrix_to_plain(matrix: SuccessMatrix) -> dict[str, Any]:
    """Return a success matrix as three tables."""
    return {item.name: _rows(getattr(matrix, item.name)) for item in fields(SuccessMatrix)}


def _matrix_from_plain(data: Mapping[str, Any], prefix: str = "") -> SuccessMatrix:
    """Undo it."""
    return SuccessMatrix(*(_take_matrix(data, item.name, prefix) for item in fields(SuccessMatrix)))


def _cost_from_plain(data: Mapping[str, Any]) -> Cost:
    """Check and return the cost."""
    times = _take(data, "wall_time_s", dict, "cost.")
    return Cost(
        WallTime(
            **{
                item.name: _take(times, item.name, float, "cost.wall_time_s.")
                for item in fields(WallTime)
                if item.default is MISSING or item.name in times
            }
        ),
        **{
            item.name: _take(data, item.name, int if _is_count(item) else float, "cost.")
            for item in fields(Cost)
            if item.name != "wall_time_s"
            and (item.default is MISSING or data.get(item.name) is not None)
        },
    )


def _take_objects(data: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    """Return the objects of a list; without the list there are none."""
    name = f"an entry of {key}"
    return tuple(_expect(entry, dict, name) for entry in _expect(data.get(key, []), list, key))


def _take_matrix(data: Mapping[str, Any], key: str, prefix: str = "") -> FloatArray:
    """Return a table of numbers and nulls as an array with NaN for null, such as (T+1, T)."""
    name = prefix + key
    rows = [_expect(row, list, f"a row of {name}") for row in _take(data, key, list, prefix)]
    cells = [cell for row in rows for cell in row if cell is not None and not _is_number(cell)]
    if cells or len({len(row) for row in rows}) > 1:
        shape = "2 rows of one number" if prefix == f"{_BEFORE}." else "T+1 rows of T numbers"
        raise ResultsError(f"{name} is no table; it must be {shape} or nulls.")
    return np.array(rows, dtype=np.float64)


def _rows(array: FloatArray) -> list[list[float | None]]:
    """Return an array as rows with None for NaN."""
    return [[None if math.isnan(cell) else cell for cell in row] for row in array.tolist()]


_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _take(data: Mapping[str, Any], key: str, kind: type, prefix: str = "") -> Any:
    """Return the value of a key that must be there."""
    if key not in data:
        raise ResultsError(f"{prefix}{key} is missing; it must be {_KINDS[kind]}.")
    return _expect(data[key], kind, prefix + key)


def _expect(value: Any, kind: type, name: str) -> Any:
    """Return the value if it is of a kind; true and false are no numbers."""
    allowed = (int, float) if kind is float else kind
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise ResultsError(f"{name} is {json.dumps(value)[:60]}; it must be {_KINDS[kind]}.")
    return value


def _is_number(value: object) -> bool:
    """Tell whether a value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _is_interval(value: Sequence[object]) -> bool:
    """Tell whether a value is two finite numbers in order."""
    match value:
        case [low, high] if _is_number(low) and _is_number(high):
            return bool(low <= high)  # type: ignore[operator]
    return False


def _check_amounts(section: WallTime | Cost, prefix: str) -> None:
    """Refuse amounts that are no finite numbers from 0 on; counts must be whole."""
    for item in fields(section):
        value = getattr(section, item.name)
        if isinstance(value, WallTime) or (value is None and item.default is None):
            continue
        if not _is_number(value) or value < 0 or (_is_count(item) and value != int(value)):
            kind = "whole number" if _is_count(item) else "number"
            raise ResultsError(
                f"{prefix}{item.name} is {value!r}; it must be a {kind}, at least 0."
            )


def _is_count(item: Field[Any]) -> bool:
    """Tell whether an amount is a count."""
    return str(item.type).startswith("int")


def _refuse_constant(name: str) -> NoReturn:
    """Refuse the NaN and Infinity that Python's parser would take."""
    raise ResultsError(f"it holds {name}; cells without a value must be null.")
