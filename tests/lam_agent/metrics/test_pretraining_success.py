"""Success on tasks of pretraining: metrics by hand, intervals, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lam_agent.errors import ResultsError
from lam_agent.metrics.intervals import pretraining_intervals
from lam_agent.metrics.pretraining_success import AFTER, BEFORE, PretrainingSuccess

NAMES = ("pretraining_before", "pretraining_after", "pretraining_forgetting")


@pytest.fixture
def measured() -> PretrainingSuccess:
    """Two tasks, measured before and after."""
    found = PretrainingSuccess.empty(["sweep", "soccer"])
    counts = {BEFORE: {"sweep": (40, 30), "soccer": (20, 0)}, AFTER: {"sweep": (10, 10)}}
    counts[AFTER]["soccer"] = (20, 5)
    for row, tasks in counts.items():
        for task, (count, at_end) in tasks.items():
            found = found.with_task(
                row, task, successes=count, successes_at_end=at_end, episodes=50
            )
    return found


def test_the_metrics_are_means_and_their_difference(measured: PretrainingSuccess) -> None:
    values = measured.metrics()
    assert tuple(values) == NAMES
    assert [values[name] for name in NAMES] == pytest.approx([0.6, 0.3, 0.3])


def test_without_tasks_there_are_no_metrics_and_no_intervals() -> None:
    nothing = PretrainingSuccess.empty([])
    assert nothing.metrics() == {} == pretraining_intervals(nothing)


def test_before_the_stream_ends_half_is_missing(measured: PretrainingSuccess) -> None:
    half = measured.without_after()
    assert half.missing(BEFORE) == [] and half.missing(AFTER) == ["sweep", "soccer"]
    assert half.metrics() == pytest.approx({NAMES[0]: 0.6, NAMES[1]: None, NAMES[2]: None})
    assert pretraining_intervals(half)[NAMES[1]] is None
    assert (
        half
        != measured
        == measured.without_after()
        .with_task(AFTER, "sweep", successes=10, successes_at_end=10, episodes=50)
        .with_task(AFTER, "soccer", successes=20, successes_at_end=5, episodes=50)
    )


def test_the_intervals_are_those_of_the_binomial_distribution(
    measured: PretrainingSuccess,
) -> None:
    intervals = pretraining_intervals(measured)
    # Variance of a mean of two shares of 50 episodes each, and of the difference of two such means.
    before = np.sqrt(0.8 * 0.2 / 50 + 0.4 * 0.6 / 50) / 2
    after = np.sqrt(0.2 * 0.8 / 50 + 0.4 * 0.6 / 50) / 2
    expected = zip((0.6, 0.3, 0.3), (before, after, np.hypot(before, after)), strict=True)
    for name, (mean, deviation) in zip(NAMES, expected, strict=True):
        interval = intervals[name]
        assert interval is not None
        assert interval == pytest.approx(
            (mean - 1.96 * deviation, mean + 1.96 * deviation), abs=0.02
        )
    assert intervals == pretraining_intervals(measured)  # The same seed.


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda a: a.__setitem__("success", a["success"][:1]), "has shape"),
        (lambda a: a["episodes"].__setitem__((0, 0), np.nan), "not evaluated in the same cells"),
        (lambda a: a["success"].__setitem__((0, 0), 1.5), r"lie in \[0, 1\]"),
        (lambda a: a["success_at_end"].__setitem__((0, 0), 0.9), "success_at_end exceeds"),
        (lambda a: a["episodes"].__setitem__((1, 1), 0.5), "episodes holds 0.5"),
    ],
)
def test_what_cannot_be_is_refused(
    measured: PretrainingSuccess,
    check_sentence: Callable[[object], str],
    change: Callable[[dict[str, np.ndarray]], None],
    part: str,
) -> None:
    names = ("success", "success_at_end", "episodes")
    arrays = {name: getattr(measured, name).copy() for name in names}
    change(arrays)
    with pytest.raises(ResultsError, match=part) as raised:
        PretrainingSuccess(tasks=measured.tasks, **arrays)
    check_sentence(raised.value)
