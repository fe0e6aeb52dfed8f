"""What the cameras draw: the geoms of a model as Warp's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from lam_envs.rays.shapes import MESH
from lam_envs.warp_runtime import wp

_PLANE = int(mujoco.mjtGeom.mjGEOM_PLANE)
_HEIGHT_FIELD = int(mujoco.mjtGeom.mjGEOM_HFIELD)
_SDF = int(mujoco.mjtGeom.mjGEOM_SDF)
_WITH_FACES = (int(MESH), _SDF, _HEIGHT_FIELD)

_PLANE_BOUNDS = (0.0, 0.0, 0.0, 1e4, 1e4, 0.0)
"""Center and half size of the box around a plane; MuJoCo's is too large for float32."""

_LEAF_SIZE = 4
"""Faces in a leaf of a mesh's tree."""


class DrawnGeoms:
    """The geoms that are drawn, shared by all worlds and threads; read-only.

    Args:
        model: The scene's model.
        geoms: Ids of the geoms that are drawn, ascending.
    """

    def __init__(self, model: mujoco.MjModel, geoms: Sequence[int]) -> None:
        ids = list(geoms)
        types = model.geom_type[ids]
        is_mesh = np.isin(types, (int(MESH), _SDF))
        bounds = model.geom_aabb[ids]  # (num_drawn, 6)
        bounds[types == _PLANE] = _PLANE_BOUNDS
        self._trees = {
            key: (_field if key[0] == _HEIGHT_FIELD else _mesh)(model, key[1])
            for key in set(_keys(model, ids))
            if key[0] in _WITH_FACES
        }
        trees = [self._trees[key].id if key in self._trees else 0 for key in _keys(model, ids)]
        meshes = np.where(is_mesh, model.geom_dataid[ids], 0)
        self.geom = _array(ids, wp.int32)
        self.shape = _array(np.where(np.array(trees) > 0, int(MESH), types), wp.int32)
        self.size = _array(model.geom_size[ids], wp.vec3)
        self.box_center = _array(bounds[:, :3], wp.vec3)
        self.box_half = _array(bounds[:, 3:], wp.vec3)
        self.mesh = _array(np.array(trees, dtype=np.uint64), wp.uint64)
        # Height fields have no normals at their vertices: -1.
        self.first_face = _array(_of_meshes(model.mesh_faceadr, meshes, is_mesh), wp.int32)
        self.first_normal = _array(_of_meshes(model.mesh_normaladr, meshes, is_mesh), wp.int32)
        self.face_normals = _array(model.mesh_facenormal, wp.vec3i)
        self.normals = _array(model.mesh_normal, wp.vec3)


def _array(values: Any, dtype: Any) -> Any:
    """Return values as an array of Warp's, on its current device."""
    return wp.array(values, dtype=dtype)


def _keys(model: mujoco.MjModel, ids: list[int]) -> list[tuple[int, int]]:
    """Return the geoms' types and the meshes or height fields that they show."""
    return [(int(model.geom_type[i]), int(model.geom_dataid[i])) for i in ids]


def _of_meshes(
    values: npt.NDArray[np.int32], meshes: npt.NDArray[np.int32], is_mesh: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int32]:
    """Return the value of each geom's mesh; -1 for a geom without one."""
    return np.array([values[m] if has else -1 for m, has in zip(meshes, is_mesh, strict=True)])


def _mesh(model: mujoco.MjModel, mesh: int) -> wp.Mesh:
    """Return a mesh with a tree of its faces."""
    vertex, face = model.mesh_vertadr[mesh], model.mesh_faceadr[mesh]
    points = model.mesh_vert[vertex : vertex + model.mesh_vertnum[mesh]]
    return _tree(points, model.mesh_face[face : face + model.mesh_facenum[mesh]])


def _field(model: mujoco.MjModel, field: int) -> wp.Mesh:
    """Return the upper side of a height field, two triangles a cell."""
    rows, columns = int(model.hfield_nrow[field]), int(model.hfield_ncol[field])
    half_x, half_y, height, _ = model.hfield_size[field]
    start = model.hfield_adr[field]
    heights = model.hfield_data[start : start + rows * columns].reshape(rows, columns)
    x, y = np.meshgrid(np.linspace(-half_x, half_x, columns), np.linspace(-half_y, half_y, rows))
    corner = np.arange(rows * columns).reshape(rows, columns)[:-1, :-1].ravel()
    lower = np.stack((corner, corner + 1, corner + columns + 1), axis=1)
    upper = np.stack((corner, corner + columns + 1, corner + columns), axis=1)
    points = np.stack((x, y, heights * height), axis=-1).reshape(-1, 3)
    return _tree(points, np.concatenate((lower, upper)))


def _tree(points: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]) -> wp.Mesh:
    return wp.Mesh(
        points=_array(points, wp.vec3),
        indices=_array(faces.ravel(), wp.int32),
        bvh_constructor="sah",
        bvh_leaf_size=_LEAF_SIZE,
    )
