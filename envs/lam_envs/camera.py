"""Cameras: a ray tracer on CPU cores; no GL library is needed.

The worlds are split over threads: Warp releases the GIL while it traces. Physics of any engine
feeds it through the world poses of geoms and cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np
import numpy.typing as npt
import torch

from lam_envs.looks import drawn_geoms
from lam_envs.rays.appearance import Appearance
from lam_envs.rays.pictures import Pictures, compile_kernels
from lam_envs.scene import GOAL_MARKER, name_to_id
from lam_envs.sim.protocol import BatchSim
from lam_envs.warp_runtime import wp

_POSES = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")
HIDDEN_POS = (0.0, 0.0, -10.0)
_DEVICE = "cpu"


@dataclass(frozen=True)
class CameraShifts:
    """How the cameras of N worlds differ from the scene's; C is the number of the scene's cameras.

    Attributes:
        position: Shift in each camera's own frame, shape (N, C, 3), metres.
        turn: Rotation in each camera's own frame, shape (N, C, 3, 3).
        lowered: By how much the cameras that stand fixed in the world are lowered, (N,), metres.
    """

    position: npt.NDArray[np.float32]
    turn: npt.NDArray[np.float32]
    lowered: npt.NDArray[np.float32]

    @classmethod
    def none(cls, num_worlds: int, num_cameras: int) -> CameraShifts:
        """Return cameras that are where the scene has them."""
        return cls(
            np.zeros((num_worlds, num_cameras, 3), np.float32),
            np.tile(np.eye(3, dtype=np.float32), (num_worlds, num_cameras, 1, 1)),
            np.zeros(num_worlds, np.float32),
        )


class CameraRenderer:
    """Renders the cameras of many worlds.

    Args:
        model: The scene's model.
        num_worlds: Number of worlds.
        cameras: Names of the cameras.
        image_size: Height and width, pixels.
        num_threads: Threads; the pictures do not depend on it.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_worlds: int,
        *,
        cameras: Sequence[str],
        image_size: int,
        num_threads: int,
    ) -> None:
        self.cameras = tuple(cameras)
        self._shape = (len(cameras), num_worlds, image_size, image_size, 3)
        self._is_fixed = model.cam_bodyid == 0
        self._marker = name_to_id(model, mujoco.mjtObj.mjOBJ_GEOM, GOAL_MARKER)
        num_threads = min(num_threads, num_worlds)
        edges = np.linspace(0, num_worlds, num_threads + 1).astype(int).tolist()
        self._slices = [slice(start, stop) for start, stop in pairwise(edges)]
        with wp.ScopedDevice(_DEVICE):
            drawn = drawn_geoms(model)
            self._parts = [
                Pictures(model, drawn, worlds.stop - worlds.start, cameras, image_size)
                for worlds in self._slices
            ]
            compile_kernels()  # Now: at their first launch two threads would do it at once.
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="lam-camera")

    def render(
        self,
        sim: BatchSim,
        looks: Appearance,
        goal_pos: torch.Tensor | None,
        shifts: CameraShifts | None = None,
    ) -> dict[str, torch.Tensor]:
        """Render every camera in every world.

        Args:
            sim: Engine whose derived fields are current.
            looks: How the worlds look.
            goal_pos: Where the goal marker is, shape (num_worlds, 3); None hides it.
            shifts: How the cameras are mounted; None as the scene has them.

        Returns:
            Camera name -> RGB, shape (num_worlds, height, width, 3), uint8.
        """
        poses = {name: sim.field(name).cpu().numpy() for name in _POSES}
        geom_xpos = poses["geom_xpos"].astype(np.float32)
        geom_xpos[:, self._marker] = HIDDEN_POS if goal_pos is None else goal_pos.cpu().numpy()
        poses["geom_xpos"] = geom_xpos
        if shifts is not None:
            self._shift(poses, shifts)
        out = np.empty(self._shape, dtype=np.uint8)
        # Warp's default device is one for all threads, hence set here and not in each of them.
        with wp.ScopedDevice(_DEVICE):
            jobs = [
                self._pool.submit(_draw, part, worlds, poses, looks, out)
                for part, worlds in zip(self._parts, self._slices, strict=True)
            ]
            for job in jobs:
                job.result()
        return {name: torch.from_numpy(out[i]) for i, name in enumerate(self.cameras)}

    def _shift(self, poses: dict[str, npt.NDArray[np.floating]], shifts: CameraShifts) -> None:
        """Mount the cameras otherwise, in `poses`."""
        turn = poses["cam_xmat"].reshape(*shifts.turn.shape)
        moved = poses["cam_xpos"] + np.einsum("wcij,wcj->wci", turn, shifts.position)
        moved[:, self._is_fixed, 2] -= shifts.lowered[:, None]
        poses["cam_xpos"], poses["cam_xmat"] = moved, turn @ shifts.turn


def _draw(
    part: Pictures,
    worlds: slice,
    poses: dict[str, npt.NDArray[np.floating]],
    looks: Appearance,
    out: npt.NDArray[np.uint8],
) -> None:
    """Draw some of the worlds into `out`, shape (cameras, all worlds, height, width, 3)."""
    part.draw({name: pose[worlds] for name, pose in poses.items()}, looks[worlds])
    out[:, worlds] = part.images
