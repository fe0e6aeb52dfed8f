"""Draw how a world's cameras are mounted."""

from __future__ import annotations

import mujoco
import numpy as np

from lam_envs.camera import CameraShifts
from lam_envs.randomisation.ranges import Randomisation


def draw_views(
    generator: np.random.Generator, shifts: CameraShifts, world: int, ranges: Randomisation
) -> None:
    """Shift and turn the cameras of one world.

    Args:
        generator: Where the random numbers come from; always as many.
        shifts: Written: the row of the world.
        world: Which.
        ranges: How far.
    """
    num_cameras = shifts.position.shape[1]
    limit = ranges.camera_position_m
    shifts.position[world] = generator.uniform(-limit, limit, (num_cameras, 3))
    most = np.radians(ranges.camera_angle_deg)
    for camera, angles in enumerate(generator.uniform(-most, most, (num_cameras, 3))):
        quat, turn = np.zeros(4), np.zeros(9)
        mujoco.mju_euler2Quat(quat, angles, "xyz")
        mujoco.mju_quat2Mat(turn, quat)
        shifts.turn[world, camera] = turn.reshape(3, 3)
