"""Cameras: mujoco_warp's ray tracer, on Warp's CPU device; no GL library is needed.

The worlds are split over threads, one render context each: Warp releases the GIL while it traces.
Physics of any engine feeds it through the world poses of geoms and cameras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import mujoco
import numpy as np
import torch

from lam_envs.looks import VISIBLE_GROUPS, render_model
from lam_envs.scene import GOAL_MARKER, name_to_id
from lam_envs.sim.protocol import BatchSim
from lam_envs.warp_runtime import mujoco_warp, wp

_POSES = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")
_HIDDEN_POS = (0.0, 0.0, -10.0)
_DEVICE = "cpu"

# The renderer marches through meshes in a loop of eight turns. Unrolled, as Warp would, that is
# eight copies of the whole mesh traversal in the kernel, which slow down even rays without a mesh.
_MAX_UNROLL = 4
# Without NaN a minimum is one instruction, and most of the time goes into minima of slab distances.
_COMPILER_FLAGS = " -ffinite-math-only -Wno-nan-infinity-disabled"


@wp.kernel
def _find_roots(tree: wp.uint64, roots: wp.array[int]) -> None:
    """Write the root of each world's part of the tree."""
    world = wp.tid()
    roots[world] = wp.bvh_get_group_root(tree, world)  # type: ignore[arg-type,index]


@contextmanager
def _compiling_for_speed() -> Iterator[None]:
    """Set the options that the render kernel is compiled with; the pictures do not change."""
    unroll, flags = wp.config.max_unroll, getattr(wp.config, "cpu_compiler_flags", None)
    wp.config.max_unroll = _MAX_UNROLL
    wp.config.cpu_compiler_flags = (flags or "-march=native") + _COMPILER_FLAGS
    try:
        yield
    finally:
        wp.config.max_unroll, wp.config.cpu_compiler_flags = unroll, flags


class _Context:
    """Render context of a slice of the worlds, used by one thread."""

    def __init__(
        self,
        look: mujoco.MjModel,
        model: mujoco_warp.Model,
        worlds: slice,
        cameras: Sequence[str],
        image_size: int,
    ) -> None:
        num_worlds = worlds.stop - worlds.start
        self.worlds = worlds
        self._model = model
        self._data = mujoco_warp.make_data(look, nworld=num_worlds, nconmax=1, njmax=1)
        self._context = mujoco_warp.create_render_context(
            look,
            nworld=num_worlds,
            cam_res=(image_size, image_size),
            cam_active=list(cameras),
            render_rgb=True,
            render_depth=False,
            render_seg=False,
            use_textures=False,
            use_shadows=False,
            enable_specular=False,
            enable_emission=False,
            enable_per_light_ambient=False,
            enabled_geom_groups=list(VISIBLE_GROUPS),
        )
        self._poses = {name: getattr(self._data, name).numpy() for name in _POSES}
        # (num_worlds, cameras * height * width) packed pixels, seen as bytes b, g, r, a.
        pixels = self._context.rgb_data.numpy()
        self._pixels = pixels.view(np.uint8).reshape(
            num_worlds, len(cameras), image_size, image_size, 4
        )

    def trace(self) -> None:
        """Trace all rays for the poses that are set."""
        mujoco_warp.refit_bvh(self._model, self._data, self._context)
        # Refitting keeps the tree of the model's first pose, in which the arm is elsewhere: a new
        # tree costs 16 us a world and saves a tenth of the time.
        tree = self._context.bvh
        tree.rebuild()
        roots = self._context.group_root
        wp.launch(_find_roots, dim=len(roots), inputs=[tree.id], outputs=[roots])
        mujoco_warp.render(self._model, self._data, self._context)

    def render(self, poses: dict[str, np.ndarray], out: np.ndarray) -> None:
        """Render into `out`, shape (cameras, all worlds, height, width, 3), uint8."""
        for name, target in self._poses.items():
            target[...] = poses[name][self.worlds].reshape(target.shape)
        self.trace()
        out[:, self.worlds] = self._pixels.swapaxes(0, 1)[..., 2::-1]


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
        self._marker = name_to_id(model, mujoco.mjtObj.mjOBJ_GEOM, GOAL_MARKER)
        num_threads = min(num_threads, num_worlds)
        edges = np.linspace(0, num_worlds, num_threads + 1).astype(int).tolist()
        look = render_model(model)
        with wp.ScopedDevice(_DEVICE), _compiling_for_speed():
            shared = mujoco_warp.put_model(look)
            self._contexts = [
                _Context(look, shared, slice(start, stop), self.cameras, image_size)
                for start, stop in pairwise(edges)
            ]
            # Warp compiles a kernel at its first launch: not on two threads at once.
            for context in self._contexts:
                context.trace()
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix="lam-camera")

    def render(self, sim: BatchSim, goal_pos: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Render every camera in every world.

        Args:
            sim: Engine whose derived fields are current.
            goal_pos: Where the goal marker is, shape (num_worlds, 3); None hides it.

        Returns:
            Camera name -> RGB, shape (num_worlds, height, width, 3), uint8.
        """
        poses = {name: sim.field(name).cpu().numpy() for name in _POSES}
        geom_xpos = poses["geom_xpos"].astype(np.float32)
        geom_xpos[:, self._marker] = _HIDDEN_POS if goal_pos is None else goal_pos.cpu().numpy()
        poses["geom_xpos"] = geom_xpos
        out = np.empty(self._shape, dtype=np.uint8)
        # Warp's default device is one for all threads, hence set here and not in each of them.
        with wp.ScopedDevice(_DEVICE):
            jobs = [self._pool.submit(context.render, poses, out) for context in self._contexts]
            for job in jobs:
                job.result()
        return {name: torch.from_numpy(out[i]) for i, name in enumerate(self.cameras)}
