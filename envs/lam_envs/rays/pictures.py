"""Pictures of a number of worlds: the memory that the tracer needs, and the launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
import torch

from lam_envs.graphs import Graphs
from lam_envs.rays.appearance import Appearance
from lam_envs.rays.drawn import DrawnGeoms
from lam_envs.rays.hits import TILE
from lam_envs.rays.placing import place
from lam_envs.rays.tracing import trace
from lam_envs.rays.tracing_pixels import trace_pixels
from lam_envs.warp_runtime import wp


class Pictures:
    """Draws the cameras of some worlds on Warp's current device; one thread uses it at a time.

    Args:
        model: The scene's model.
        drawn: What is drawn.
        num_worlds: Number of worlds.
        cameras: Names of the cameras.
        image_size: Height and width, pixels.
        by_pixel: Whether each pixel has a thread of its own, as on a GPU; pictures are the same.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        drawn: DrawnGeoms,
        num_worlds: int,
        cameras: Sequence[str],
        image_size: int,
        *,
        by_pixel: bool = False,
    ) -> None:
        ids = [model.camera(name).id for name in cameras]
        slopes = np.tan(np.radians(model.cam_fovy[ids]) / 2)
        size = (num_worlds, len(ids))
        num_drawn = drawn.geom.shape[0]
        scratch = (*size, num_drawn)
        self._drawn = drawn  # Keeps the meshes alive, which the kernel knows by number only.
        poses: dict[str, Any] = {
            "geom_xpos": wp.zeros((num_worlds, model.ngeom), dtype=wp.vec3),
            "geom_xmat": wp.zeros((num_worlds, model.ngeom), dtype=wp.mat33),
            "cam_xpos": wp.zeros((num_worlds, model.ncam), dtype=wp.vec3),
            "cam_xmat": wp.zeros((num_worlds, model.ncam), dtype=wp.mat33),
        }
        self._poses = {name: wp.to_torch(array) for name, array in poses.items()}
        looks = {
            field.name: _empty_looks(field.name, num_worlds, num_drawn)
            for field in fields(Appearance)
        }
        self._looks = {name: wp.to_torch(array) for name, array in looks.items()}
        pixels: Any = wp.zeros((len(ids), num_worlds, image_size**2, 3), dtype=wp.uint8)
        #: (cameras, num_worlds, height, width, 3), uint8: the pictures that were drawn last.
        self.images: torch.Tensor = wp.to_torch(pixels).view(
            len(ids), num_worlds, image_size, image_size, 3
        )
        origin = wp.zeros(scratch, dtype=wp.vec3)
        turn = wp.zeros(scratch, dtype=wp.mat33)
        nearest = wp.zeros(scratch, dtype=wp.float32)
        covered = wp.zeros(scratch, dtype=wp.vec4i)
        order = wp.zeros(scratch, dtype=wp.int32)
        num_seen = wp.zeros(size, dtype=wp.int32)
        camera_ids: Any = wp.array(ids, dtype=wp.int32)
        placing = [
            drawn.geom,
            drawn.box_center,
            drawn.box_half,
            camera_ids,
            wp.array(image_size / 2 / slopes, dtype=wp.float32),
            image_size,
            *poses.values(),
            *(origin, turn, nearest, covered, order, num_seen),
        ]
        tracing = [
            *(drawn.shape, drawn.size, drawn.mesh),
            *(drawn.first_face, drawn.first_normal, drawn.face_normals, drawn.normals),
            *looks.values(),
            *(camera_ids, poses["cam_xmat"]),
            wp.array(_rays(slopes, image_size), dtype=wp.vec3),
            *(origin, turn, nearest, covered, order, num_seen),
            *(() if by_pixel else (wp.zeros(scratch, dtype=wp.int32),)),
            image_size,
            pixels,
        ]
        num_tiles = -(-image_size // int(TILE))
        threads = (*size, num_tiles**2 * int(TILE) ** 2) if by_pixel else size
        # No method of its own: in a cycle with its graphs its memory would stay on the GPU.
        self._launch = partial(
            _launch, (place, size, placing), (trace_pixels if by_pixel else trace, threads, tracing)
        )
        # Threads that draw side by side on CPU cores launch by themselves, which is as fast there.
        self._graphs = Graphs(wp.get_device(), {"draw": self._launch}) if by_pixel else None

    def dress(self, looks: Mapping[str, torch.Tensor]) -> None:
        """Take over how the worlds look: the attributes of `Appearance`, a row for each world."""
        for name, target in self._looks.items():
            target.copy_(looks[name])

    def pose(self, poses: Mapping[str, torch.Tensor]) -> None:
        """Take over where everything is.

        Args:
            poses: `geom_xpos`, `geom_xmat`, `cam_xpos` and `cam_xmat` of these worlds.
        """
        for name, target in self._poses.items():
            target.copy_(poses[name].reshape(target.shape)).nan_to_num_()  # A world may be broken.

    def draw(self) -> None:
        """Draw all pictures into `images`. It does not call torch, so any thread may call it.

        OpenMP gives each thread that calls torch threads of its own, and lets all of them sleep
        sooner where they are more than the cores: training was 1.7 times slower then.
        """
        if self._graphs is None:
            self._launch()
        else:
            self._graphs.launch("draw")


def _launch(*launches: tuple[Any, tuple[int, ...], list[Any]]) -> None:
    """Launch kernels, each on a grid with its arguments, one after the other."""
    for kernel, grid, arguments in launches:
        wp.launch(kernel, dim=grid, inputs=arguments)


def _empty_looks(name: str, num_worlds: int, num_drawn: int) -> Any:
    """Return Warp's array for one attribute of `Appearance`."""
    match name:
        case "pattern":
            return wp.zeros((num_worlds, num_drawn), dtype=wp.int32)
        case "period":
            return wp.zeros((num_worlds, num_drawn), dtype=wp.float32)
        case "colour" | "second_colour":
            return wp.zeros((num_worlds, num_drawn), dtype=wp.vec3)
        case _:
            return wp.zeros(num_worlds, dtype=wp.vec3)


def compile_kernels(*, by_pixel: bool) -> None:
    """Compile the kernels, which takes seconds where Warp's cache does not have them yet."""
    for kernel in (place, trace_pixels if by_pixel else trace):
        wp.load_module(kernel.module, device=wp.get_device())


def _rays(slopes: npt.NDArray[np.float64], image_size: int) -> npt.NDArray[np.float64]:
    """Return unit vectors through the pixels' centers, (cameras, height, width, 3)."""
    steps = (np.arange(image_size) + 0.5) / image_size * 2 - 1
    right, down = np.meshgrid(steps, steps)
    plane = np.stack((right, -down), axis=-1) * slopes[:, None, None, None]
    rays = np.concatenate((plane, np.full((*plane.shape[:3], 1), -1.0)), axis=-1)
    unit: npt.NDArray[np.float64] = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return unit
