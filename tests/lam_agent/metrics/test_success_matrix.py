"""What is no success matrix is refused in one sentence."""

import numpy as np
import numpy.typing as npt
import pytest

from lam_agent.errors import ResultsError
from lam_agent.metrics.success_matrix import SuccessMatrix

NAN = float("nan")
RATES = [[0.0, 0.1], [0.9, NAN], [0.8, 1.0]]
COUNTS = [[10, 10], [10, NAN], [10, 10]]


def changed(row: int, column: int, value: float, table: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a copy of a table with another value in one cell."""
    copy = np.array(table, dtype=np.float64)
    copy[row, column] = value
    return copy


def test_a_matrix_knows_its_counts_and_cannot_be_changed() -> None:
    rates = np.array(RATES)
    matrix = SuccessMatrix(rates, changed(2, 1, 0.7, RATES), np.array(COUNTS))
    rates[0, 0] = 0.5
    assert matrix.num_tasks == 2
    assert matrix.success[0, 0] == 0.0
    np.testing.assert_array_equal(matrix.num_successes, [[0, 1], [9, NAN], [8, 10]])
    np.testing.assert_array_equal(matrix.num_successes_at_end, [[0, 1], [9, NAN], [8, 7]])
    np.testing.assert_array_equal(matrix.evaluated, [[True, True], [True, False], [True, True]])
    with pytest.raises(ValueError, match="read-only"):
        matrix.success[0, 0] = 1.0


def test_cells_fill_one_after_the_other() -> None:
    matrix = SuccessMatrix.empty(2)
    assert not matrix.evaluated.any()
    filled = matrix.with_cell(1, 0, successes=45, successes_at_end=40, episodes=50)
    assert (filled.success[1, 0], filled.success_at_end[1, 0]) == (0.9, 0.8)
    assert filled.episodes[1, 0] == 50
    assert filled.evaluated.sum() == 1
    assert not matrix.evaluated.any()
    assert filled != matrix
    assert matrix == SuccessMatrix.empty(2)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (3, 0), (0, 2), (0, -1)])
def test_there_is_no_cell_outside_the_stream(row: int, column: int) -> None:
    with pytest.raises(ResultsError, match="rows 0 to 2 and columns 0 to 1"):
        SuccessMatrix.empty(2).with_cell(row, column, successes=1, successes_at_end=1, episodes=1)


def test_a_cell_needs_an_episode() -> None:
    with pytest.raises(ResultsError, match="episodes is 0"):
        SuccessMatrix.empty(2).with_cell(0, 0, successes=0, successes_at_end=0, episodes=0)


@pytest.mark.parametrize(
    ("success", "at_end", "episodes", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2)), np.ones((2, 2)), r"\(2, 2\); it must be \(T\+1, T\)"),
        (np.zeros((1, 0)), np.zeros((1, 0)), np.ones((1, 0)), r"it must be \(T\+1, T\)"),
        (np.zeros(3), np.zeros(3), np.ones(3), r"it must be \(T\+1, T\)"),
        (RATES, [[0.1], [0.9]], COUNTS, "success_at_end has shape"),
        ([[0.1, 0.2], [0.3]], RATES, COUNTS, "success is no table of numbers"),
        ([["a", "b"]] * 3, RATES, COUNTS, "success is no table of numbers"),
        (RATES, changed(1, 1, 0.5, RATES), COUNTS, "not evaluated in the same cells"),
        (RATES, RATES, changed(0, 0, NAN, COUNTS), "not evaluated in the same cells"),
        (changed(0, 0, 1.5, RATES), RATES, COUNTS, r"success holds 1.5; .* \[0, 1\]"),
        (changed(0, 0, -0.5, RATES), RATES, COUNTS, r"success holds -0.5; .* \[0, 1\]"),
        (RATES, changed(0, 0, float("inf"), RATES), COUNTS, r"success_at_end holds inf"),
        (changed(0, 0, 0.33, RATES), RATES, COUNTS, "success holds 0.33 of 10 episodes"),
        (RATES, changed(0, 0, 0.1, RATES), COUNTS, "success_at_end exceeds success"),
        (RATES, RATES, changed(0, 0, 0, COUNTS), "episodes holds 0;"),
        (RATES, RATES, changed(0, 0, 2.5, COUNTS), "episodes holds 2.5;"),
        (RATES, RATES, changed(0, 0, float("inf"), COUNTS), "episodes holds inf;"),
    ],
)
def test_what_is_no_success_matrix_is_refused(
    success: npt.ArrayLike, at_end: npt.ArrayLike, episodes: npt.ArrayLike, message: str
) -> None:
    with pytest.raises(ResultsError, match=message) as caught:
        SuccessMatrix(success, at_end, episodes)
    assert str(caught.value).endswith(".")
