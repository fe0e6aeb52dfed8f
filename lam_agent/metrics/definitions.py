"""From the success matrix to numbers: one function for each formula.

`success[i, j]` is the success rate on task j after experience i, i and j from 1 to T; row 0 is the
policy before the stream. A metric is None where a cell that it needs was not evaluated, or where
the stream is too short for it. The intervals that stand beside them are in `intervals.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import update_wrapper

import numpy as np
import numpy.typing as npt

from lam_agent.errors import ResultsError
from lam_agent.metrics.cells import FloatArray
from lam_agent.metrics.success_matrix import SuccessMatrix

Formula = Callable[[FloatArray], FloatArray]
"""From success, shape (..., T+1, T), to values, shape (...), NaN where one is undefined."""


class Metric:
    """A formula over a success matrix; None where it is undefined.

    Args:
        formula: The formula, which takes many matrices at once as well.
    """

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        update_wrapper(self, formula)

    def __call__(self, matrix: SuccessMatrix) -> float | None:
        """Return the value for one matrix."""
        value = float(self.formula(matrix.success))
        return None if math.isnan(value) else value


@Metric
def average_success(success: FloatArray) -> FloatArray:
    """Return mean_j success[T, j].

    "ACC", Lopez-Paz & Ranzato 2017, Eq. 2; the final "average performance" of Wolczyk et al. 2021.
    """
    return _means(_last(success))


@Metric
def forgetting(success: FloatArray) -> FloatArray:
    """Return mean_j (success[j, j] - success[T, j]) over all T tasks; positive is worse.

    Wolczyk et al. 2021 (Continual World), "forgetting". The last task contributes 0.
    """
    lost = _means(_learned(success) - _last(success))
    return lost if success.shape[-1] > 1 else np.full_like(lost, np.nan)


@Metric
def backward_transfer(success: FloatArray) -> FloatArray:
    """Return mean_{j<T} (success[T, j] - success[j, j]); negative is forgetting.

    "BWT", Lopez-Paz & Ranzato 2017, Eq. 3.
    """
    return _means((_last(success) - _learned(success))[..., :-1])


@Metric
def forward_transfer(success: FloatArray) -> FloatArray:
    """Return mean_{j>1} (success[j-1, j] - success[0, j]), zero-shot.

    "FWT", Lopez-Paz & Ranzato 2017, Eq. 4, with the policy before the stream as the baseline.
    """
    just_before = np.diagonal(success[..., 1:, 1:], axis1=-2, axis2=-1)
    return _means(just_before - success[..., 0, 1:])


def learning_speed_transfer(
    matrix: SuccessMatrix,
    learning_areas: Sequence[float] | None,
    single_areas: Sequence[float] | None,
) -> float | None:
    """Return mean_j (AUC_j - AUC_j^single) / (1 - AUC_j^single).

    "Forward transfer", Wolczyk et al. 2021 (Continual World). It is undefined for a task whose area
    reaches 1 when it is learned alone, as one does that a pretrained policy solves from the start:
    the mean is over the others, and None where there are none.

    Args:
        matrix: The success matrix; it says how many tasks there are.
        learning_areas: Mean success on task j while the stream learned it, T numbers in [0, 1].
        single_areas: The same where task j is learned alone; None where no reference run exists.
    """
    areas = _areas(learning_areas, matrix.num_tasks)
    alone = _areas(single_areas, matrix.num_tasks)
    if areas is None or alone is None:
        return None
    is_defined = alone < 1.0
    return _mean((areas[is_defined] - alone[is_defined]) / (1.0 - alone[is_defined]))


@Metric
def nbt(success: FloatArray) -> FloatArray:
    """Return mean_{k<T} mean_{t>k} (success[k, k] - success[t, k]); positive is worse.

    "Negative backward transfer", Liu et al. 2023 (LIBERO), Eq. 3, averaged over the T-1 tasks for
    which it is defined.
    """
    learned, after = _learned(success), success[..., 1:, :]
    losses = [
        np.mean(learned[..., k, None] - after[..., k + 1 :, k], axis=-1)
        for k in range(success.shape[-1] - 1)
    ]
    return _means(np.stack(losses, axis=-1) if losses else learned[..., :0])


def auc(matrix: SuccessMatrix, learning_areas: Sequence[float] | None) -> float | None:
    """Return mean_k (FWT_k + sum_{t>k} success[t, k]) / (T - k + 1).

    "Area under the success rate curve", Liu et al. 2023 (LIBERO), Eq. 3.

    Args:
        matrix: The success matrix.
        learning_areas: FWT_k, the mean success on task k while the stream learned it, T numbers
            in [0, 1]; None where the learning curves were not measured.
    """
    areas = _areas(learning_areas, matrix.num_tasks)
    if areas is None:
        return None
    after = matrix.success[1:]
    curves = [np.append(after[k + 1 :, k], area) for k, area in enumerate(areas)]
    return _mean(np.array([np.mean(curve) for curve in curves]))


def learning_area(
    steps: Sequence[float], success: Sequence[float], start: float, max_steps: int
) -> float:
    """Return the mean height of a learning curve over an experience, in [0, 1].

    The curve is linear between its points and stays at the last one where training stopped early.
    "AUC", Wolczyk et al. 2021 (Continual World); "FWT_k", Liu et al. 2023 (LIBERO).

    Args:
        steps: Gradient steps of the points, increasing.
        success: Validation success there.
        start: Success before the first step.
        max_steps: Gradient steps of the experience.
    """
    ends = [0.0, *steps, float(max(max_steps, *steps))]
    heights = [start, *success, success[-1]]
    return float(np.trapezoid(heights, ends) / ends[-1])


@Metric
def normalised_forgetting(success: FloatArray) -> FloatArray:
    """Return forgetting / mean_j success[j, j], so that better policies are not punished.

    This project, after Wolczyk et al. 2021. Undefined, so None, where nothing was learned.
    """
    return _ratios(forgetting.formula(success), _means(_learned(success)))


@Metric
def retention(success: FloatArray) -> FloatArray:
    """Return mean_j min(1, success[T, j] / success[j, j]) over tasks with success[j, j] > 0.

    This project. Undefined, so None, where nothing was learned.
    """
    learned = _learned(success)
    is_known = ~np.isnan(learned).any(axis=-1) & (learned.shape[-1] > 1)
    was_learned = learned > 0
    left = np.where(was_learned, np.minimum(1.0, _ratios(_last(success), learned)), 0.0)
    return np.where(is_known, _ratios(left.sum(axis=-1), was_learned.sum(axis=-1)), np.nan)


MATRIX_METRICS: Mapping[str, Metric] = {
    "average_success": average_success,
    "forgetting": forgetting,
    "normalised_forgetting": normalised_forgetting,
    "retention": retention,
    "backward_transfer": backward_transfer,
    "nbt": nbt,
    "forward_transfer": forward_transfer,
}
"""The metrics that the success matrix alone determines."""


def compute_metrics(
    matrix: SuccessMatrix,
    learning_areas: Sequence[float] | None = None,
    single_areas: Sequence[float] | None = None,
) -> dict[str, float | None]:
    """Return every metric by name; None is "not measured".

    Args:
        matrix: The success matrix.
        learning_areas: Mean success on each task while the stream learned it.
        single_areas: The same where each task is learned alone (reference runs).
    """
    metrics = {name: metric(matrix) for name, metric in MATRIX_METRICS.items()}
    metrics["learning_speed_transfer"] = learning_speed_transfer(
        matrix, learning_areas, single_areas
    )
    metrics["auc"] = auc(matrix, learning_areas)
    return metrics


def _last(success: FloatArray) -> FloatArray:
    """Return success[T, j] for each task j, shape (..., T)."""
    return success[..., -1, :]


def _learned(success: FloatArray) -> FloatArray:
    """Return success[j, j] for each task j: right after it was learned, shape (..., T)."""
    return np.diagonal(success[..., 1:, :], axis1=-2, axis2=-1)


def _means(values: FloatArray) -> FloatArray:
    """Return means over the last axis, NaN where there is no value or one was not evaluated."""
    count = values.shape[-1]
    means: FloatArray = values.mean(axis=-1) if count else np.full(values.shape[:-1], np.nan)
    return means


def _ratios(above: FloatArray, below: FloatArray | npt.NDArray[np.int64]) -> FloatArray:
    """Return ratios, NaN where they are undefined."""
    nothing = np.full(np.shape(above), np.nan)
    ratios: FloatArray = np.divide(above, below, out=nothing, where=below != 0)
    return ratios


def _mean(values: FloatArray) -> float | None:
    """Return the mean, or None where there is no value or one of them was not evaluated."""
    mean = float(_means(values))
    return None if math.isnan(mean) else mean


def _areas(values: Sequence[float] | None, num_tasks: int) -> FloatArray | None:
    """Return one area under a learning curve for each task, or None where any is missing."""
    if values is None:
        return None
    areas = np.array(values, dtype=np.float64)
    if areas.shape != (num_tasks,) or np.any((areas < 0) | (areas > 1)):
        raise ResultsError(
            f"the areas under the learning curves are {areas.tolist()}; there must be one in "
            f"[0, 1] for each of {num_tasks} tasks."
        )
    return None if np.isnan(areas).any() else areas
