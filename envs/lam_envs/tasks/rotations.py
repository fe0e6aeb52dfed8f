"""Rotation matrices to quaternions the way SciPy does it, batched in torch."""

from __future__ import annotations

import torch


def matrix_to_quat_xyzw(matrix: torch.Tensor) -> torch.Tensor:
    """Convert rotation matrices to unit quaternions in SciPy's order and with its sign rule.

    The largest of the three diagonal entries and the trace decides which component is computed
    first and hence the sign (`scipy.spatial.transform.Rotation.from_matrix(m).as_quat()`).

    Args:
        matrix: Rotation matrices, shape (..., 3, 3).

    Returns:
        Quaternions x, y, z, w, shape (..., 4).
    """
    m00, m11, m22 = matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 2, 2]
    trace = m00 + m11 + m22
    d21 = matrix[..., 2, 1] - matrix[..., 1, 2]
    d02 = matrix[..., 0, 2] - matrix[..., 2, 0]
    d10 = matrix[..., 1, 0] - matrix[..., 0, 1]
    s10 = matrix[..., 1, 0] + matrix[..., 0, 1]
    s20 = matrix[..., 2, 0] + matrix[..., 0, 2]
    s21 = matrix[..., 2, 1] + matrix[..., 1, 2]
    candidates = torch.stack(
        (
            torch.stack((1 - trace + 2 * m00, s10, s20, d21), -1),
            torch.stack((s10, 1 - trace + 2 * m11, s21, d02), -1),
            torch.stack((s20, s21, 1 - trace + 2 * m22, d10), -1),
            torch.stack((d21, d02, d10, 1 + trace), -1),
        ),
        -2,
    )  # (..., choice, 4)
    choice = torch.stack((m00, m11, m22, trace), -1).argmax(-1)
    index = choice[..., None, None].expand(*choice.shape, 1, 4)
    quat = candidates.gather(-2, index).squeeze(-2)
    length: torch.Tensor = quat.norm(dim=-1, keepdim=True)
    return quat / length


def quat_wxyz_to_xyzw(quat: torch.Tensor) -> torch.Tensor:
    """Reorder MuJoCo's quaternions to SciPy's order, with the sign that SciPy gives a matrix.

    Its sign makes the largest component positive, which is what `matrix_to_quat_xyzw` does.

    Args:
        quat: Unit quaternions w, x, y, z, shape (..., 4).

    Returns:
        Quaternions x, y, z, w, shape (..., 4).
    """
    xyzw = quat.roll(-1, -1)
    largest = xyzw.gather(-1, xyzw.abs().argmax(-1, keepdim=True))
    return torch.where(largest < 0, -xyzw, xyzw)
