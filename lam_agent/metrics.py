"""From the success matrix to numbers: one function for each formula.

`success[i, j]` is the success rate on task j after experience i, i and j from 1 to T; row 0 is the
policy before the stream. A metric is None where a cell that it needs was not evaluated, or where
the stream is too short for it. The intervals that stand beside them are in `intervals.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lam_agent.errors import ResultsError
from lam_agent.success_matrix import FloatArray, SuccessMatrix

Metric = Callable[[SuccessMatrix], float | None]


def average_success(matrix: SuccessMatrix) -> float | None:
    """Return mean_j success[T, j].

    "ACC", Lopez-Paz & Ranzato 2017, Eq. 2; the final "average performance" of Wolczyk et al. 2021.
    """
    return _mean(_last(matrix))


def forgetting(matrix: SuccessMatrix) -> float | None:
    """Return mean_j (success[j, j] - success[T, j]) over all T tasks; positive is worse.

    Wolczyk et al. 2021 (Continual World), "forgetting". The last task contributes 0.
    """
    return _mean(_learned(matrix) - _last(matrix)) if matrix.num_tasks > 1 else None


def backward_transfer(matrix: SuccessMatrix) -> float | None:
    """Return mean_{j<T} (success[T, j] - success[j, j]); negative is forgetting.

    "BWT", Lopez-Paz & Ranzato 2017, Eq. 3.
    """
    return _mean((_last(matrix) - _learned(matrix))[:-1])


def forward_transfer(matrix: SuccessMatrix) -> float | None:
    """Return mean_{j>1} (success[j-1, j] - success[0, j]), zero-shot.

    "FWT", Lopez-Paz & Ranzato 2017, Eq. 4, with the policy before the stream as the baseline.
    """
    just_before = np.diagonal(matrix.success[1:, 1:])
    return _mean(just_before - matrix.success[0, 1:])


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


def nbt(matrix: SuccessMatrix) -> float | None:
    """Return mean_{k<T} mean_{t>k} (success[k, k] - success[t, k]); positive is worse.

    "Negative backward transfer", Liu et al. 2023 (LIBERO), Eq. 3, averaged over the T-1 tasks for
    which it is defined.
    """
    learned, after = _learned(matrix), matrix.success[1:]
    losses = [np.mean(learned[k] - after[k + 1 :, k]) for k in range(matrix.num_tasks - 1)]
    return _mean(np.array(losses))


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


def normalised_forgetting(matrix: SuccessMatrix) -> float | None:
    """Return forgetting / mean_j success[j, j], so that better policies are not punished.

    This project, after Wolczyk et al. 2021. Undefined, so None, where nothing was learned.
    """
    lost, learned = forgetting(matrix), _mean(_learned(matrix))
    return None if lost is None or not learned else lost / learned


def retention(matrix: SuccessMatrix) -> float | None:
    """Return mean_j min(1, success[T, j] / success[j, j]) over tasks with success[j, j] > 0.

    This project. Undefined, so None, where nothing was learned.
    """
    learned, last = _learned(matrix), _last(matrix)
    if matrix.num_tasks < 2 or np.isnan(learned).any():
        return None
    ever = learned > 0
    return _mean(np.minimum(1.0, last[ever] / learned[ever]))


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


def _last(matrix: SuccessMatrix) -> FloatArray:
    """Return success[T, j] for each task j, shape (T,)."""
    last: FloatArray = matrix.success[-1]
    return last


def _learned(matrix: SuccessMatrix) -> FloatArray:
    """Return success[j, j] for each task j: right after it was learned, shape (T,)."""
    learned: FloatArray = matrix.success[1:].diagonal()
    return learned


def _mean(values: FloatArray) -> float | None:
    """Return the mean, or None where there is no value or one of them was not evaluated."""
    mean = float(values.mean()) if values.size else float("nan")
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
