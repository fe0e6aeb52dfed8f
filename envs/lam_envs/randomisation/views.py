"""Draw how a world's cameras are mounted."""

from __future__ import annotations

import mujoco
import numpy as np
import numpy.typing as npt

from lam_envs.randomisation.ranges import Randomisation

Floats = npt.NDArray[np.float64]


def draw_views(
    generator: np.random.Generator, num_cameras: int, ranges: Randomisation
) -> tuple[Floats, Floats]:
    """Return how the C cameras of one world are shifted and turned.

    Args:
        generator: Where the random numbers come from; always as many.
        num_cameras: Number of cameras.
        ranges: How far.

    Returns:
        Shifts, shape (C, 3), metres, and rotations, shape (C, 3, 3), in each camera's own frame.
    """
    limit = ranges.camera_position_m
    position = generator.uniform(-limit, limit, (num_cameras, 3))
    turns = np.zeros((num_cameras, 3, 3))
    most = np.radians(ranges.camera_angle_deg)
    for camera, angles in enumerate(generator.uniform(-most, most, (num_cameras, 3))):
        quat, turn = np.zeros(4), np.zeros(9)
        mujoco.mju_euler2Quat(quat, angles, "xyz")
        mujoco.mju_quat2Mat(turn, quat)
        turns[camera] = turn.reshape(3, 3)
    return position, turns
