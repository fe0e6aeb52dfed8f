"""Golden numbers of the formulas on hand-made matrices, their bounds and their symmetries."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lam_agent.errors import ResultsError
from lam_agent.metrics.definitions import (
    MATRIX_METRICS,
    auc,
    average_success,
    backward_transfer,
    compute_metrics,
    forgetting,
    forward_transfer,
    learning_speed_transfer,
    nbt,
    normalised_forgetting,
    retention,
)
from lam_agent.metrics.intervals import (
    aggregate_over_seeds,
    bootstrap_intervals,
    compute_intervals,
    wilson_interval,
)
from lam_agent.metrics.success_matrix import SuccessMatrix

NAN = float("nan")
NO_DEADLINE = settings(deadline=None)  # A busy machine is no failure.


def matrix_of(success: npt.ArrayLike, episodes: float = 10) -> SuccessMatrix:
    """Return a matrix in which every success lasts to the last step."""
    rates = np.array(success, dtype=np.float64)
    return SuccessMatrix(rates, rates, np.where(np.isnan(rates), NAN, float(episodes)))


# Three tasks; what the metrics do not need is not evaluated.
THREE = matrix_of(
    [
        [0.1, 0.2, 0.0],
        [0.8, 0.4, NAN],
        [0.6, 1.0, 0.3],
        [0.4, 0.7, 0.9],
    ]
)


def test_golden_numbers_of_three_tasks() -> None:
    # Right after learning: 0.8, 1.0, 0.9; after the last experience: 0.4, 0.7, 0.9.
    assert average_success(THREE) == pytest.approx(2.0 / 3)  # (0.4 + 0.7 + 0.9) / 3
    assert forgetting(THREE) == pytest.approx(0.7 / 3)  # (0.4 + 0.3 + 0.0) / 3
    assert backward_transfer(THREE) == pytest.approx(-0.35)  # (-0.4 - 0.3) / 2
    # (success[1, 2] - success[0, 2] + success[2, 3] - success[0, 3]) / 2 = (0.2 + 0.3) / 2.
    assert forward_transfer(THREE) == pytest.approx(0.25)
    # k=1: mean(0.8 - 0.6, 0.8 - 0.4) = 0.3; k=2: 1.0 - 0.7 = 0.3; mean over T-1 = 2 tasks.
    assert nbt(THREE) == pytest.approx(0.3)
    assert normalised_forgetting(THREE) == pytest.approx(0.7 / 2.7)  # (0.7 / 3) / (2.7 / 3)
    assert retention(THREE) == pytest.approx(2.2 / 3)  # (0.5 + 0.7 + 1.0) / 3


def test_golden_numbers_with_learning_curves() -> None:
    # k=1: (0.5 + 0.6 + 0.4) / 3 = 0.5; k=2: (0.7 + 0.7) / 2 = 0.7; k=3: 0.6 / 1.
    assert auc(THREE, [0.5, 0.7, 0.6]) == pytest.approx(1.8 / 3)
    # (0.5 - 0.4) / 0.6 = 1/6; (0.7 - 0.5) / 0.5 = 0.4; (0.6 - 0.8) / 0.2 = -1.
    speed = learning_speed_transfer(THREE, [0.5, 0.7, 0.6], [0.4, 0.5, 0.8])
    assert speed == pytest.approx((1 / 6 + 0.4 - 1.0) / 3)
    metrics = compute_metrics(THREE, [0.5, 0.7, 0.6], [0.4, 0.5, 0.8])
    assert metrics["auc"] == pytest.approx(0.6)
    assert metrics["learning_speed_transfer"] == speed


def test_a_task_that_gets_better_later_has_negative_forgetting_and_full_retention() -> None:
    better = matrix_of([[0.0, 0.0], [0.5, 0.0], [0.9, 0.8]])
    assert forgetting(better) == pytest.approx(-0.2)  # (0.5 - 0.9 + 0) / 2
    assert backward_transfer(better) == pytest.approx(0.4)
    assert retention(better) == 1.0  # min(1, 0.9 / 0.5) and 0.8 / 0.8


def test_retention_leaves_out_tasks_that_were_never_learned() -> None:
    assert retention(matrix_of([[0, 0], [0, 0], [0.5, 1.0]])) == 1.0
    nothing = matrix_of(np.zeros((3, 2)))
    assert retention(nothing) is None
    assert normalised_forgetting(nothing) is None
    assert forgetting(nothing) == 0.0


def test_speed_is_the_mean_over_tasks_that_are_not_full_from_the_start() -> None:
    # (0.5 - 0.4) / 0.6 = 1/6; the second is left out; (0.6 - 0.8) / 0.2 = -1.
    speed = learning_speed_transfer(THREE, [0.5, 0.9, 0.6], [0.4, 1.0, 0.8])
    assert speed == pytest.approx((1 / 6 - 1.0) / 2)
    assert learning_speed_transfer(THREE, [0.5, 0.7, 0.6], [1.0, 1.0, 1.0]) is None


def test_speed_is_undefined_without_references() -> None:
    assert learning_speed_transfer(THREE, [0.5, 0.7, 0.6], None) is None
    assert learning_speed_transfer(THREE, None, [0.5, 0.7, 0.6]) is None
    assert learning_speed_transfer(THREE, [0.5, 0.7, 0.6], [0.5, NAN, 0.6]) is None
    assert auc(THREE, None) is None
    assert auc(THREE, [0.5, NAN, 0.6]) is None


@pytest.mark.parametrize("areas", [[0.5], [0.5, 0.5, 1.5], [0.5, -0.1, 0.5]])
def test_areas_that_do_not_fit_are_refused(areas: list[float]) -> None:
    with pytest.raises(ResultsError, match="one in \\[0, 1\\] for each of 3 tasks"):
        auc(THREE, areas)


# Which cells of three tasks each metric needs, as (row, column) from 0.
LAST = {(3, 0), (3, 1), (3, 2)}
LEARNED = {(1, 0), (2, 1), (3, 2)}
NEEDED = {
    "average_success": LAST,
    "forgetting": LAST | LEARNED,
    "normalised_forgetting": LAST | LEARNED,
    "retention": LAST | LEARNED,
    "backward_transfer": (LAST | LEARNED) - {(3, 2)},
    "nbt": {(1, 0), (2, 0), (3, 0), (2, 1), (3, 1)},
    "forward_transfer": {(0, 1), (0, 2), (1, 1), (2, 2)},
}


@pytest.mark.parametrize("name", MATRIX_METRICS)
def test_a_metric_is_none_exactly_where_a_cell_that_it_needs_is_missing(name: str) -> None:
    for row in range(4):
        for column in range(3):
            success = THREE.success.copy()
            success[1, 2] = 0.5
            success[row, column] = NAN
            missing = MATRIX_METRICS[name](matrix_of(success)) is None
            assert missing == ((row, column) in NEEDED[name]), (row, column)


def test_one_task_has_an_average_success_and_nothing_else() -> None:
    metrics = compute_metrics(matrix_of([[0.1], [0.9]]))
    assert metrics.pop("average_success") == pytest.approx(0.9)
    assert set(metrics.values()) == {None}


@st.composite
def matrices(draw: st.DrawFn, num_tasks: int | None = None) -> SuccessMatrix:
    """Draw a full matrix of counts."""
    tasks = draw(st.integers(2, 5)) if num_tasks is None else num_tasks
    episodes = draw(st.integers(1, 50))
    counts = st.lists(st.integers(0, episodes), min_size=tasks, max_size=tasks)
    rows = draw(st.lists(counts, min_size=tasks + 1, max_size=tasks + 1))
    return matrix_of(np.array(rows) / episodes, episodes)


@NO_DEADLINE
@given(st.lists(matrices(3), min_size=1, max_size=6))
def test_many_matrices_at_once_give_what_each_gives(many: list[SuccessMatrix]) -> None:
    success = np.stack([matrix.success for matrix in many])
    for name, metric in MATRIX_METRICS.items():
        each = np.array([metric(matrix) for matrix in many], dtype=np.float64)
        np.testing.assert_array_equal(metric.formula(success), each, err_msg=name)


@NO_DEADLINE
@given(matrices())
def test_bounds(matrix: SuccessMatrix) -> None:
    metrics = compute_metrics(matrix)
    for name in ("average_success", "forgetting", "backward_transfer", "forward_transfer", "nbt"):
        assert -1.0 <= metrics[name] <= 1.0, name
    assert metrics["average_success"] >= 0.0
    assert metrics["retention"] is None or 0.0 <= metrics["retention"] <= 1.0
    assert metrics["normalised_forgetting"] is None or metrics["normalised_forgetting"] <= 1.0
    assert 0.0 <= auc(matrix, [0.0] * matrix.num_tasks) <= 1.0


@NO_DEADLINE
@given(matrices())
def test_forgetting_is_backward_transfer_turned_round_and_averaged_over_all_tasks(
    matrix: SuccessMatrix,
) -> None:
    tasks = matrix.num_tasks
    assert forgetting(matrix) * tasks == pytest.approx(-backward_transfer(matrix) * (tasks - 1))


@NO_DEADLINE
@given(matrices(num_tasks=2))
def test_with_two_tasks_nbt_is_backward_transfer_turned_round(matrix: SuccessMatrix) -> None:
    assert nbt(matrix) == pytest.approx(-backward_transfer(matrix))


@NO_DEADLINE
@given(matrices())
def test_what_is_kept_for_ever_is_not_forgotten(matrix: SuccessMatrix) -> None:
    success = matrix.success.copy()
    for task in range(matrix.num_tasks):
        success[task + 1 :, task] = success[task + 1, task]
    kept = matrix_of(success, matrix.episodes[0, 0])
    assert forgetting(kept) == backward_transfer(kept) == nbt(kept) == 0.0
    assert retention(kept) in (None, 1.0)


@NO_DEADLINE
@given(matrices())
def test_the_learner_that_never_changes_has_no_transfer(matrix: SuccessMatrix) -> None:
    success = np.tile(matrix.success[0], (matrix.num_tasks + 1, 1))
    constant = matrix_of(success, matrix.episodes[0, 0])
    assert forward_transfer(constant) == forgetting(constant) == 0.0


# Success of single episodes: (row, column, episode) of two tasks.
OUTCOMES = st.lists(st.booleans(), min_size=48, max_size=48)


@NO_DEADLINE
@given(OUTCOMES, st.permutations(range(8)))
def test_the_order_of_the_episodes_does_not_matter(outcomes: list[bool], order: list[int]) -> None:
    episodes = np.array(outcomes).reshape(3, 2, 8)
    first = compute_metrics(matrix_of(episodes.mean(-1), 8))
    assert first == compute_metrics(matrix_of(episodes[..., order].mean(-1), 8))


def test_wilson_golden_numbers() -> None:
    # z = 1.95996; centre (k + z^2/2) / (n + z^2), half z sqrt(k (n - k) / n + z^2/4) / (n + z^2).
    assert wilson_interval(8, 10) == pytest.approx((0.490163, 0.943318), abs=1e-6)
    assert wilson_interval(50, 50) == pytest.approx((50 / 53.841459, 1.0), abs=1e-6)
    assert wilson_interval(0, 50) == pytest.approx((0.0, 3.841459 / 53.841459), abs=1e-6)


@NO_DEADLINE
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_is_symmetric(counts: tuple[int, int]) -> None:
    successes, episodes = counts
    low, high = wilson_interval(successes, episodes)
    assert 0.0 <= low <= successes / episodes <= high <= 1.0
    mirrored = wilson_interval(episodes - successes, episodes)
    assert mirrored == pytest.approx((1.0 - high, 1.0 - low))


@pytest.mark.parametrize(("successes", "episodes"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_refuses_counts_that_cannot_be(successes: int, episodes: int) -> None:
    with pytest.raises(ResultsError, match=f"{successes} successes in {episodes} episodes"):
        wilson_interval(successes, episodes)


@settings(max_examples=15, deadline=None)
@given(matrices())
def test_bootstrap_intervals_lie_in_bounds_and_in_order(matrix: SuccessMatrix) -> None:
    intervals = bootstrap_intervals(matrix, MATRIX_METRICS, samples=100)
    for name, metric in MATRIX_METRICS.items():
        value = metric(matrix)
        assert (intervals[name] is None) == (value is None)
        if value is not None:
            assert intervals[name][0] <= value <= intervals[name][1], name
        if intervals[name] is not None and name != "normalised_forgetting":
            low, high = intervals[name]
            assert -1.0 <= low <= high <= 1.0, name


def test_the_bootstrap_has_the_spread_of_the_binomial() -> None:
    # Mean of two cells of 100 episodes at 0.5: standard deviation 0.5 / sqrt(200) = 0.035355, so
    # the interval is about 0.5 +- 1.96 * 0.035355 = (0.4307, 0.5693).
    matrix = matrix_of([[0, 0], [0.5, 0], [0.5, 0.5]], 100)
    low, high = compute_intervals(matrix)["average_success"]
    assert (low, high) == pytest.approx((0.4307, 0.5693), abs=0.008)
    assert compute_intervals(matrix) == compute_intervals(matrix)


def test_intervals_of_a_seed_stay_what_they_were() -> None:
    intervals = compute_intervals(THREE)
    assert intervals["average_success"] == pytest.approx((0.5, 0.8))
    assert intervals["retention"] == pytest.approx((0.5777777778, 0.9190476190))
    assert intervals["nbt"] == pytest.approx((0.075, 0.525))
    of_seeds = aggregate_over_seeds([THREE] * 3, samples=200)
    assert of_seeds["nbt"].interval == pytest.approx((0.1745833333, 0.4252083333))


def test_the_interval_of_a_run_that_kept_all_reaches_to_1() -> None:
    kept = matrix_of([[0, 0], [0.9, 0], [0.9, 0.9]], 50)
    low, high = compute_intervals(kept)["retention"]
    assert retention(kept) == high == 1.0 and 0.8 < low < 1.0
    aggregate = aggregate_over_seeds([kept] * 3)["retention"]
    assert aggregate.interval[0] < aggregate.mean == aggregate.interval[1] == 1.0


def test_two_visits_of_a_task_are_one_evaluation() -> None:
    # Sharing the episodes, the mean of both columns varies like one cell: 0.5 / sqrt(100) = 0.05.
    matrix = matrix_of([[0, 0], [0.5, 0.5], [0.5, 0.5]], 100)
    low, high = compute_intervals(matrix, tasks=["push", "push"])["average_success"]
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.011)
    with pytest.raises(ResultsError, match="1 task names; 2 are needed"):
        compute_intervals(matrix, tasks=["push"])


def test_a_run_without_its_last_row_has_no_intervals() -> None:
    matrix = matrix_of([[0.1, 0.2], [0.9, 0.1], [NAN, NAN]])
    intervals = compute_intervals(matrix)
    assert intervals["average_success"] is None
    assert intervals["forward_transfer"] is not None
    assert set(intervals) == set(compute_metrics(matrix))


def test_seeds_are_averaged_and_widen_the_interval() -> None:
    # Final success 1.0, 1.0, 0.4, 0.4 in four seeds without any spread within a seed of 10^6
    # episodes: only the choice of seeds varies, so the interval reaches from 0.4 to 1.0.
    runs = [matrix_of([[0], [rate]], 1_000_000) for rate in (1.0, 1.0, 0.4, 0.4)]
    aggregate = aggregate_over_seeds(runs, samples=500)["average_success"]
    assert aggregate.mean == pytest.approx(0.7)
    assert aggregate.num_seeds == 4
    assert aggregate.interval == pytest.approx((0.4, 1.0), abs=0.002)


def test_equal_seeds_vary_by_their_episodes_and_need_three() -> None:
    # Three seeds of 100 episodes at 0.5: 0.5 / sqrt(300) = 0.028868, interval (0.4434, 0.5566).
    runs = [matrix_of([[0], [0.5]], 100)] * 3
    aggregates = aggregate_over_seeds(runs)
    assert aggregates["average_success"].interval == pytest.approx((0.4434, 0.5566), abs=0.008)
    assert aggregates["forgetting"] is None
    with pytest.raises(ResultsError, match="there are 2 seeds"):
        aggregate_over_seeds(runs[:2])
