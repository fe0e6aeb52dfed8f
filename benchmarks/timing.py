"""Timing side by side: every contender in turn, several times over, medians and ratios."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lam_agent.files import write_text_atomically
from lam_agent.system import describe_system
from lam_envs.cores import available_cores


def interleaved_rates(
    contenders: dict[str, tuple[Callable[[], None], float]], repeats: int
) -> dict[str, float]:
    """Time all contenders in turn, `repeats` times, after one untimed call of each.

    Args:
        contenders: Name -> a call and the units of work that it does.
        repeats: Timed calls of each.

    Returns:
        Name -> median units a second.
    """
    for call, _ in contenders.values():
        call()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, (call, units) in contenders.items():
            start = time.perf_counter()
            call()
            rates[name].append(units / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def write_report(path: Path, content: dict[str, Any]) -> None:
    """Write figures together with the machine that they were measured on."""
    system = describe_system("cpu", available_cores())
    write_text_atomically(path, json.dumps({**content, "system": system}, indent=2) + "\n")
