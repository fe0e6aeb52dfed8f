"""Checks of what environments are asked for: counts and cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lam_envs.errors import InvalidSettingError
from lam_envs.scene import CAMERAS


def check_counts(**counts: int | None) -> None:
    """Refuse counts that are no whole numbers or below 1; `num_threads` may be None.

    Raises:
        InvalidSettingError: Naming the setting.
    """
    for name, count in counts.items():
        if count is None and name == "num_threads":
            continue
        if not isinstance(count, int | np.integer) or isinstance(count, bool):
            raise InvalidSettingError(f"{name} is {count!r}; it must be a whole number.")
        if count < 1:
            raise InvalidSettingError(f"{name} is {count}; it must be at least 1.")


def check_cameras(cameras: Sequence[str]) -> None:
    """Refuse a camera that scenes do not have.

    Raises:
        InvalidSettingError: Naming the camera and those that there are.
    """
    if isinstance(cameras, str) or not isinstance(cameras, Sequence):
        raise InvalidSettingError(
            f"cameras is {cameras!r}; it must be a list of {', '.join(CAMERAS)}."
        )
    for camera in cameras:
        if camera not in CAMERAS:
            raise InvalidSettingError(
                f"there is no camera {camera!r}; the cameras are {', '.join(CAMERAS)}."
            )
