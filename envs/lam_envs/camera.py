"""Cameras: a ray tracer on CPU cores or on a GPU; no GL library is needed.

On CPU cores the worlds are split over threads: Warp releases the GIL while it traces. Physics of
any engine feeds it through the world poses of geoms and cameras.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np
import torch

from lam_envs.looks import drawn_geoms
from lam_envs.rays.pictures import Pictures, compile_kernels
from lam_envs.scene import GOAL_FOOT, GOAL_MARKER, name_to_id
from lam_envs.sim.protocol import BatchSim
from lam_envs.warp_runtime import working_on

_POSES = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")
HIDDEN_POS = (0.0, 0.0, -10.0)
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class CameraShifts:
    """How the cameras of N worlds differ from the scene's; C is the number of the scene's cameras.

    Tensors of the renderer's device, float32, of which rows may be written in place.

    Attributes:
        position: Shift in each camera's own frame, shape (N, C, 3), metres.
        turn: Rotation in each camera's own frame, shape (N, C, 3, 3).
        lowered: By how much the cameras that stand fixed in the world are lowered, (N,), metres.
    """

    position: torch.Tensor
    turn: torch.Tensor
    lowered: torch.Tensor

    @classmethod
    def none(cls, num_worlds: int, num_cameras: int, device: torch.device) -> CameraShifts:
        """Return cameras that are where the scene has them."""
        return cls(
            torch.zeros(num_worlds, num_cameras, 3, device=device),
            torch.eye(3, device=device).repeat(num_worlds, num_cameras, 1, 1),
            torch.zeros(num_worlds, device=device),
        )


class CameraRenderer:
    """Renders the cameras of many worlds. How they look is set by `dress`, which comes first.

    Args:
        model: The scene's model.
        num_worlds: Number of worlds.
        cameras: Names of the cameras.
        image_size: Height and width, pixels.
        num_threads: Threads on CPU cores; the pictures do not depend on it.
        device: Where it is drawn, and where the pictures are.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_worlds: int,
        *,
        cameras: Sequence[str],
        image_size: int,
        num_threads: int,
        device: torch.device = _CPU,
    ) -> None:
        self.cameras = tuple(cameras)
        self.device = device
        self._shape = (len(cameras), num_worlds, image_size, image_size, 3)
        self._is_fixed = torch.from_numpy(model.cam_bodyid == 0).to(device)
        self._marker = name_to_id(model, mujoco.mjtObj.mjOBJ_GEOM, GOAL_MARKER)
        self._foot = name_to_id(model, mujoco.mjtObj.mjOBJ_GEOM, GOAL_FOOT)
        self._hidden = torch.tensor(HIDDEN_POS, device=device)
        self._shifts: CameraShifts | None = None
        by_pixel = device.type != "cpu"
        num_threads = 1 if by_pixel else min(num_threads, num_worlds)
        edges = np.linspace(0, num_worlds, num_threads + 1).astype(int).tolist()
        self._slices = [slice(start, stop) for start, stop in pairwise(edges)]
        with working_on(device):
            drawn = drawn_geoms(model, str(device))
            self._parts = [
                Pictures(
                    *(model, drawn, worlds.stop - worlds.start, cameras, image_size),
                    by_pixel=by_pixel,
                )
                for worlds in self._slices
            ]
            # Now: at their first launch two threads would do it at once.
            compile_kernels(by_pixel=by_pixel)
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="lam-camera")

    def dress(self, looks: Mapping[str, torch.Tensor], shifts: CameraShifts | None = None) -> None:
        """Take over how the worlds look until the next call.

        Args:
            looks: The attributes of `Appearance` by their names, rows of all worlds.
            shifts: How the cameras are mounted; None as the scene has them.
        """
        for part, worlds in zip(self._parts, self._slices, strict=True):
            part.dress({name: rows[worlds] for name, rows in looks.items()})
        self._shifts = shifts

    def render(self, sim: BatchSim, goal_pos: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Render every camera in every world.

        Args:
            sim: Engine whose derived fields are current, on the renderer's device.
            goal_pos: Where the goal marker is, shape (num_worlds, 3); None hides it.

        Returns:
            Camera name -> RGB, shape (num_worlds, height, width, 3), uint8.
        """
        poses = {name: sim.field(name) for name in _POSES}
        geom_xpos = poses["geom_xpos"].to(torch.float32, copy=True)
        geom_xpos[:, self._marker] = self._hidden if goal_pos is None else goal_pos.to(geom_xpos)
        geom_xpos[:, self._foot] = geom_xpos[:, self._marker]
        geom_xpos[:, self._foot, 2].clamp_max_(0.0)
        poses["geom_xpos"] = geom_xpos
        if self._shifts is not None:
            self._shift(poses, self._shifts)
        out = torch.empty(self._shape, dtype=torch.uint8, device=self.device)
        # Warp's default device is one for all threads, hence set here and not in each of them.
        with working_on(self.device):
            for part, worlds in zip(self._parts, self._slices, strict=True):
                part.pose({name: pose[worlds] for name, pose in poses.items()})
            if len(self._parts) == 1:
                self._parts[0].draw()
            else:
                jobs = [self._pool.submit(part.draw) for part in self._parts]
                for job in jobs:
                    job.result()
            for part, worlds in zip(self._parts, self._slices, strict=True):
                out[:, worlds] = part.images
        return {name: out[i] for i, name in enumerate(self.cameras)}

    def _shift(self, poses: dict[str, torch.Tensor], shifts: CameraShifts) -> None:
        """Mount the cameras otherwise, in `poses`."""
        usual = poses["cam_xmat"].reshape(shifts.turn.shape)
        moved = poses["cam_xpos"] + torch.einsum("wcij,wcj->wci", usual, shifts.position.to(usual))
        moved[..., 2] -= self._is_fixed * shifts.lowered[:, None]
        poses["cam_xpos"], poses["cam_xmat"] = moved, usual @ shifts.turn.to(usual)
