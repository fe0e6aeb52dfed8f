"""Results as JSON holds them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.metrics.cells import RATES, FloatArray
from lam_agent.metrics.perturbed import FactorSuccess, Perturbed
from lam_agent.metrics.pretraining_success import PretrainingSuccess
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.metrics.success_table import SuccessTable
from lam_agent.results.checks import expect, is_number, take
from lam_agent.results.content import Cost, Results, WallTime, is_count

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


def seal(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what `results.json` holds; keys that others added do not count."""
    sealed = {key: data[key] for key in _SEALED if key in data}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def to_plain(results: Results) -> dict[str, Any]:
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
        **_rates_to_plain(results.matrix),
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


def from_plain(data: Mapping[str, Any]) -> Results:
    """Check the content of `results.json` and make the results of it."""
    version = take(data, "format_version", int)
    if version > FORMAT_VERSION:
        raise ResultsError(
            f"the format version is {version}; this lam_agent reads up to {FORMAT_VERSION}, so "
            "install a newer one."
        )
    tasks = _take_names(data, "tasks")
    intervals = expect(data.get("intervals", {}), dict, "intervals")
    results = Results(
        tasks=tasks,
        strategy=take(data, "strategy", str),
        seed=take(data, "seed", int),
        protocol=take(data, "protocol", dict),
        matrix=SuccessMatrix(**_rates_from_plain(data)),
        metrics=take(data, "metrics", dict),
        cost=_cost_from_plain(take(data, "cost", dict)),
        experiences_done=expect(data.get("experiences_done", len(tasks)), int, "experiences_done"),
        intervals={name: tuple(v) if isinstance(v, list) else v for name, v in intervals.items()},
        per_task=_take_objects(data, "per_task"),
        versions=expect(data.get("versions", {}), dict, "versions"),
        finished=expect(data.get("finished", True), bool, "finished"),
        videos=_take_objects(data, "videos"),
        references={
            name: None if bound is None else expect(bound, dict, f"references.{name}")
            for name, bound in expect(data.get("references") or {}, dict, "references").items()
        },
        pretraining=_pretraining_from_plain(expect(data.get("pretraining", {}), dict, _BEFORE)),
        perturbed=_perturbed_from_plain(expect(data.get("perturbed", {}), dict, "perturbed")),
    )
    if take(data, "sha256", str) != seal(data):
        raise ResultsError(
            "the results were changed after they were written (their SHA-256 differs); put the "
            "file back as it was."
        )
    return results


def _pretraining_to_plain(pretraining: PretrainingSuccess) -> dict[str, Any]:
    """Return what stands in `results.json` where tasks of pretraining are measured."""
    return {_BEFORE: _table_to_plain(pretraining)} if pretraining.tasks else {}


def _pretraining_from_plain(data: Mapping[str, Any]) -> PretrainingSuccess:
    """Undo it; results without have none."""
    if not data:
        return PretrainingSuccess.empty(())
    return PretrainingSuccess(**_table_from_plain(data, f"{_BEFORE}.", "2 rows of one number"))


def _perturbed_to_plain(perturbed: Perturbed | None) -> dict[str, Any]:
    """Return what stands in `results.json` where randomised scenes are measured."""
    if perturbed is None:
        return {}
    plain = {
        "randomisation": dict(perturbed.randomisation),
        **_rates_to_plain(perturbed.matrix),
    }
    if perturbed.unstable_episodes:
        plain["unstable_episodes"] = perturbed.unstable_episodes
    if perturbed.by_factor is not None:
        factors = list(perturbed.by_factor.factors)
        plain["by_factor"] = {"factors": factors, **_table_to_plain(perturbed.by_factor)}
    return {"perturbed": plain}


def _perturbed_from_plain(data: Mapping[str, Any]) -> Perturbed | None:
    """Undo it; results without have none."""
    if not data:
        return None
    prefix = "perturbed."
    settings = take(data, "randomisation", dict, prefix)
    for name, value in settings.items():
        expect(value, float, f"{prefix}randomisation.{name}")
    matrix, by_factor = SuccessMatrix(**_rates_from_plain(data, prefix)), None
    if data.get("by_factor") is not None:
        table, prefix = take(data, "by_factor", dict, prefix), f"{prefix}by_factor."
        by_factor = FactorSuccess(
            factors=_take_names(table, "factors", prefix),
            **_table_from_plain(table, prefix, "rows of one number"),
        )
    unstable = expect(data.get("unstable_episodes", 0), int, "perturbed.unstable_episodes")
    return Perturbed(settings, matrix, by_factor, unstable)


def _table_to_plain(table: SuccessTable) -> dict[str, Any]:
    """Return a table of success as its tasks and three tables of numbers."""
    return {"tasks": list(table.tasks), **_rates_to_plain(table)}


def _table_from_plain(data: Mapping[str, Any], prefix: str, shape: str) -> dict[str, Any]:
    """Undo it."""
    tasks = _take_names(data, "tasks", prefix)
    return {"tasks": tasks, **_rates_from_plain(data, prefix, f"{shape} for each task")}


def _take_names(data: Mapping[str, Any], key: str, prefix: str = "") -> tuple[str, ...]:
    """Return a list of names."""
    names = take(data, key, list, prefix)
    return tuple(expect(name, str, f"an entry of {prefix}{key}") for name in names)


def _rates_to_plain(measured: SuccessMatrix | SuccessTable) -> dict[str, Any]:
    """Return success, success at the end and episodes as three tables of numbers."""
    return {name: _rows(getattr(measured, name)) for name in RATES}


def _rates_from_plain(
    data: Mapping[str, Any], prefix: str = "", shape: str = "T+1 rows of T numbers"
) -> dict[str, FloatArray]:
    """Undo it."""
    return {name: _take_matrix(data, name, prefix, shape) for name in RATES}


def _cost_from_plain(data: Mapping[str, Any]) -> Cost:
    """Check and return the cost."""
    times = take(data, "wall_time_s", dict, "cost.")
    return Cost(
        WallTime(
            **{
                item.name: take(times, item.name, float, "cost.wall_time_s.")
                for item in fields(WallTime)
                if item.default is MISSING or item.name in times
            }
        ),
        **{
            item.name: take(data, item.name, int if is_count(item) else float, "cost.")
            for item in fields(Cost)
            if item.name != "wall_time_s"
            and (item.default is MISSING or data.get(item.name) is not None)
        },
    )


def _take_objects(data: Mapping[str, Any], key: str) -> tuple[Mapping[str, Any], ...]:
    """Return the objects of a list; without the list there are none."""
    name = f"an entry of {key}"
    return tuple(expect(entry, dict, name) for entry in expect(data.get(key, []), list, key))


def _take_matrix(data: Mapping[str, Any], key: str, prefix: str, shape: str) -> FloatArray:
    """Return a table of numbers and nulls as an array with NaN for null, such as (T+1, T)."""
    name = prefix + key
    rows = [expect(row, list, f"a row of {name}") for row in take(data, key, list, prefix)]
    cells = [cell for row in rows for cell in row if cell is not None and not is_number(cell)]
    if cells or len({len(row) for row in rows}) > 1:
        raise ResultsError(f"{name} is no table; it must be {shape} or nulls.")
    return np.array(rows, dtype=np.float64)


def _rows(array: FloatArray) -> list[list[float | None]]:
    """Return an array as rows with None for NaN."""
    return [[None if math.isnan(cell) else cell for cell in row] for row in array.tolist()]
