"""Where a ray enters a shape, and the surface's normal there, in the shape's own frame.

Only entries count: what is seen from inside, or from behind, is not drawn, as in OpenGL. Sizes mean
what MuJoCo's geom sizes mean. A ray that misses gets `MISS`.
"""

# Warp compiles this file: in it an annotation is Warp's.
# mypy: ignore-errors

from __future__ import annotations

import mujoco

from lam_envs.warp_runtime import wp

MISS = wp.constant(1.0e10)
"""Distance of a ray that hits nothing."""

PLANE = wp.constant(int(mujoco.mjtGeom.mjGEOM_PLANE))
SPHERE = wp.constant(int(mujoco.mjtGeom.mjGEOM_SPHERE))
CAPSULE = wp.constant(int(mujoco.mjtGeom.mjGEOM_CAPSULE))
ELLIPSOID = wp.constant(int(mujoco.mjtGeom.mjGEOM_ELLIPSOID))
CYLINDER = wp.constant(int(mujoco.mjtGeom.mjGEOM_CYLINDER))
BOX = wp.constant(int(mujoco.mjtGeom.mjGEOM_BOX))
MESH = wp.constant(int(mujoco.mjtGeom.mjGEOM_MESH))


@wp.func
def _sphere_entry(origin: wp.vec3, direction: wp.vec3, radius: float) -> float:
    b = wp.dot(origin, direction)
    c = wp.dot(origin, origin) - radius * radius
    a = wp.dot(direction, direction)
    root = b * b - a * c
    if root < 0.0:
        return MISS
    return (-b - wp.sqrt(root)) / a


@wp.func
def _box_entry(origin: wp.vec3, direction: wp.vec3, size: wp.vec3) -> float:
    near = -MISS
    far = MISS
    for i in range(3):
        slope = 1.0 / _not_zero(direction[i])
        middle = -origin[i] * slope
        half = wp.abs(size[i] * slope)
        near = wp.max(near, middle - half)
        far = wp.min(far, middle + half)
    if near > far:
        return MISS
    return near


@wp.func
def _not_zero(value: float) -> float:
    if wp.abs(value) < 1.0e-9:
        return 1.0e-9
    return value


@wp.func
def _cylinder_entry(origin: wp.vec3, direction: wp.vec3, size: wp.vec3) -> float:
    a = wp.max(direction[0] * direction[0] + direction[1] * direction[1], 1.0e-12)
    b = origin[0] * direction[0] + origin[1] * direction[1]
    c = origin[0] * origin[0] + origin[1] * origin[1] - size[0] * size[0]
    root = b * b - a * c
    if root < 0.0:
        return MISS
    root = wp.sqrt(root)
    slope = 1.0 / _not_zero(direction[2])
    middle = -origin[2] * slope
    half = wp.abs(size[1] * slope)
    near = wp.max((-b - root) / a, middle - half)
    if near > wp.min((-b + root) / a, middle + half):
        return MISS
    return near


@wp.func
def _capsule_entry(origin: wp.vec3, direction: wp.vec3, size: wp.vec3) -> float:
    a = wp.max(direction[0] * direction[0] + direction[1] * direction[1], 1.0e-12)
    b = origin[0] * direction[0] + origin[1] * direction[1]
    c = origin[0] * origin[0] + origin[1] * origin[1] - size[0] * size[0]
    root = b * b - a * c
    if root < 0.0:
        return MISS
    distance = (-b - wp.sqrt(root)) / a
    height = origin[2] + distance * direction[2]
    if wp.abs(height) <= size[1]:
        return distance
    cap = wp.vec3(0.0, 0.0, wp.sign(height) * size[1])
    return _sphere_entry(origin - cap, direction, size[0])


@wp.func
def _plane_entry(origin: wp.vec3, direction: wp.vec3, size: wp.vec3) -> float:
    if direction[2] > -1.0e-9:
        return MISS
    distance = -origin[2] / direction[2]
    x = wp.abs(origin[0] + distance * direction[0])
    y = wp.abs(origin[1] + distance * direction[1])
    # A size of zero is an infinite one.
    if (size[0] > 0.0 and x > size[0]) or (size[1] > 0.0 and y > size[1]):
        return MISS
    return distance


@wp.func
def entry(shape: int, size: wp.vec3, origin: wp.vec3, direction: wp.vec3) -> float:
    """Return how far a ray travels until it enters a shape; `MISS` if it does not."""
    distance = MISS
    if shape == BOX:
        distance = _box_entry(origin, direction, size)
    elif shape == CYLINDER:
        distance = _cylinder_entry(origin, direction, size)
    elif shape == PLANE:
        distance = _plane_entry(origin, direction, size)
    elif shape == SPHERE:
        distance = _sphere_entry(origin, direction, size[0])
    elif shape == CAPSULE:
        distance = _capsule_entry(origin, direction, size)
    elif shape == ELLIPSOID:
        distance = _sphere_entry(wp.cw_div(origin, size), wp.cw_div(direction, size), 1.0)
    if distance < 0.0:
        return MISS
    return distance


@wp.func
def normal(shape: int, size: wp.vec3, point: wp.vec3) -> wp.vec3:
    """Return the outward unit normal at a point of a shape's surface."""
    if shape == BOX:
        return _box_normal(size, point)
    if shape == CYLINDER:
        radius = wp.sqrt(point[0] * point[0] + point[1] * point[1])
        if wp.abs(point[2]) - size[1] > radius - size[0]:
            return wp.vec3(0.0, 0.0, wp.sign(point[2]))
        return wp.normalize(wp.vec3(point[0], point[1], 0.0))
    if shape == SPHERE:
        return wp.normalize(point)
    if shape == CAPSULE:
        axis = wp.clamp(point[2], -size[1], size[1])
        return wp.normalize(wp.vec3(point[0], point[1], point[2] - axis))
    if shape == ELLIPSOID:
        return wp.normalize(wp.cw_div(wp.cw_div(point, size), size))
    return wp.vec3(0.0, 0.0, 1.0)


@wp.func
def _box_normal(size: wp.vec3, point: wp.vec3) -> wp.vec3:
    depth = wp.vec3(
        wp.abs(point[0]) - size[0], wp.abs(point[1]) - size[1], wp.abs(point[2]) - size[2]
    )
    if depth[0] >= depth[1] and depth[0] >= depth[2]:
        return wp.vec3(wp.sign(point[0]), 0.0, 0.0)
    if depth[1] >= depth[2]:
        return wp.vec3(0.0, wp.sign(point[1]), 0.0)
    return wp.vec3(0.0, 0.0, wp.sign(point[2]))
