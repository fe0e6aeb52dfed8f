"""What a pixel shows: what its ray meets first, and the normal, the colour and the light there."""

# Warp compiles this file: in it an annotation is Warp's, and int(0) declares a variable.
# mypy: ignore-errors
# ruff: noqa: UP018, RUF046

from __future__ import annotations

from lam_envs.rays import appearance
from lam_envs.rays.shapes import MESH, MISS, entry, normal
from lam_envs.warp_runtime import wp

TILE = wp.constant(8)
"""Height and width of a tile, pixels: its rays meet much the same geoms."""

_TIE = wp.constant(1.0e-6)
"""Relative distance below which two hits are at the same place; the later geom wins."""

_MAX_CULLED = wp.constant(8)
"""Back faces in a row that a ray passes through before it is given up."""

_STEP_THROUGH = wp.constant(1.0e-5)
"""How far behind a back face its ray goes on, metres: rounding must not find the face again."""

_SMOOTH = wp.constant(0.8)
"""Cosine between a face's normal and that of its vertex above which the vertex's is used."""

_PLAIN = wp.constant(appearance.PLAIN)
_STRIPES = wp.constant(appearance.STRIPES)
_PATCHES = wp.constant(appearance.PATCHES)

_OFF_GRID = wp.constant(0.37)
"""Shift of the patterns' cubes, periods: sides of boxes should not lie on their borders."""


@wp.func
def _mesh_entry(
    mesh: wp.uint64, origin: wp.vec3, direction: wp.vec3, limit: float
) -> tuple[float, int, wp.vec3, float, float]:
    """Return distance, face, normal and two weights of the corners of the first front face."""
    travelled = float(0.0)
    distance = float(0.0)
    u = float(0.0)
    v = float(0.0)
    sign = float(0.0)
    face = int(-1)
    face_normal = wp.vec3()
    num_culled = int(0)
    while num_culled < _MAX_CULLED:
        start = origin + direction * travelled
        rest = limit - travelled
        if not wp.mesh_query_ray(
            mesh, start, direction, rest, distance, u, v, sign, face_normal, face
        ):
            break
        if wp.dot(direction, face_normal) < 0.0:
            return travelled + distance, face, face_normal, u, v
        travelled += distance * (1.0 + _TIE) + _STEP_THROUGH
        num_culled += 1
    return MISS, -1, wp.vec3(), 0.0, 0.0


@wp.func
def _smooth(vertex: wp.vec3, face: wp.vec3) -> wp.vec3:
    if wp.dot(vertex, face) < _SMOOTH:
        return face
    return vertex


@wp.func
def _mesh_normal(
    corners: wp.vec3i, normals: wp.array[wp.vec3], first: int, face: wp.vec3, u: float, v: float
) -> wp.vec3:
    """Return the normal between those of a face's corners."""
    return wp.normalize(
        _smooth(normals[first + corners[0]], face) * u
        + _smooth(normals[first + corners[1]], face) * v
        + _smooth(normals[first + corners[2]], face) * (1.0 - u - v)
    )


@wp.func
def _second_share(pattern: int, period: float, point: wp.vec3) -> float:
    """Return the share of the second colour, in [0, 1], at a point in a geom's frame."""
    x = int(wp.floor(point[0] / period + _OFF_GRID))
    y = int(wp.floor(point[1] / period + _OFF_GRID))
    z = int(wp.floor(point[2] / period + _OFF_GRID))
    if pattern == _STRIPES:
        return float(x & 1)
    if pattern == _PATCHES:
        return wp.randf(wp.rand_init(x * 73856093 + y * 19349663 + z * 83492791))
    return float((x + y + z) & 1)


@wp.func
def _hit(
    x: int,
    y: int,
    ray: wp.vec3,
    members: wp.array[int],
    count: int,
    shape: wp.array[int],
    size: wp.array[wp.vec3],
    mesh: wp.array[wp.uint64],
    origins: wp.array[wp.vec3],
    turns: wp.array[wp.mat33],
    near: wp.array[float],
    boxes: wp.array[wp.vec4i],
) -> tuple[int, float, int, wp.vec3, float, float]:
    """Return what a pixel's ray meets first among some geoms, which are sorted from near to far.

    Returns:
        The geom or -1 and its distance; of a mesh the face, its normal, two weights of its corners.
    """
    best = float(MISS)
    winner = int(-1)
    face = int(-1)
    face_normal = wp.vec3()
    u = float(0.0)
    v = float(0.0)
    for i in range(count):
        drawn = members[i]
        limit = best * (1.0 + _TIE)
        if near[drawn] > limit:
            break
        box = boxes[drawn]
        if x < box[0] or x > box[1] or y < box[2] or y > box[3]:
            continue
        start = origins[drawn]
        direction = turns[drawn] @ ray
        distance = float(MISS)
        hit_face = int(-1)
        hit_normal = wp.vec3()
        hit_u = float(0.0)
        hit_v = float(0.0)
        if shape[drawn] == MESH:
            distance, hit_face, hit_normal, hit_u, hit_v = _mesh_entry(
                mesh[drawn], start, direction, limit
            )
        else:
            distance = entry(shape[drawn], size[drawn], start, direction)
        slack = _TIE * wp.max(best, 1.0)
        is_tie_won = distance <= best + slack and drawn > winner
        if distance < MISS and (distance < best - slack or is_tie_won):
            best = distance
            winner = drawn
            face = hit_face
            face_normal = hit_normal
            u = hit_u
            v = hit_v
    return winner, best, face, face_normal, u, v


@wp.func
def _normal_at(
    winner: int,
    point: wp.vec3,
    face: int,
    face_normal: wp.vec3,
    u: float,
    v: float,
    shape: wp.array[int],
    size: wp.array[wp.vec3],
    first_face: wp.array[int],
    first_normal: wp.array[int],
    face_normals: wp.array[wp.vec3i],
    normals: wp.array[wp.vec3],
) -> wp.vec3:
    """Return the normal of a geom where it was hit, in its own frame."""
    if face < 0:
        return normal(shape[winner], size[winner], point)
    if first_face[winner] >= 0:
        corners = face_normals[first_face[winner] + face]
        return _mesh_normal(corners, normals, first_normal[winner], face_normal, u, v)
    return face_normal


@wp.func
def _paint_at(
    winner: int,
    point: wp.vec3,
    colour: wp.array[wp.vec3],
    second_colour: wp.array[wp.vec3],
    pattern: wp.array[int],
    period: wp.array[float],
) -> wp.vec3:
    """Return a geom's colour at a point in its frame."""
    paint = colour[winner]
    if pattern[winner] != _PLAIN:
        share = _second_share(pattern[winner], period[winner], point)
        paint += (second_colour[winner] - paint) * share
    return paint


@wp.func
def _light_at(
    paint: wp.vec3,
    facing: wp.vec3,
    towards_sun: wp.vec3,
    ambient: wp.vec3,
    headlight: wp.vec3,
    sun: wp.vec3,
) -> wp.vec3:
    """Return the light from a surface to the camera.

    `facing` and `towards_sun` are in the camera's frame, whose z axis points from the scene to it.
    """
    light = ambient + headlight * wp.max(facing[2], 0.0)
    light += sun * wp.max(wp.dot(facing, towards_sun), 0.0)
    return wp.cw_mul(paint, light)


@wp.func
def light_of(
    x: int,
    y: int,
    ray: wp.vec3,
    members: wp.array[int],
    count: int,
    shape: wp.array[int],
    size: wp.array[wp.vec3],
    mesh: wp.array[wp.uint64],
    first_face: wp.array[int],
    first_normal: wp.array[int],
    face_normals: wp.array[wp.vec3i],
    normals: wp.array[wp.vec3],
    colour: wp.array[wp.vec3],
    second_colour: wp.array[wp.vec3],
    pattern: wp.array[int],
    period: wp.array[float],
    ambient: wp.vec3,
    headlight: wp.vec3,
    sun: wp.vec3,
    towards_sun: wp.vec3,
    origins: wp.array[wp.vec3],
    turns: wp.array[wp.mat33],
    near: wp.array[float],
    boxes: wp.array[wp.vec4i],
) -> wp.vec3:
    """Return the light that a pixel sees along its ray, black where it meets none of the geoms."""
    winner, distance, face, face_normal, u, v = _hit(
        x, y, ray, members, count, shape, size, mesh, origins, turns, near, boxes
    )
    if winner < 0:
        return wp.vec3()
    point = origins[winner] + turns[winner] @ ray * distance
    there = _normal_at(
        winner,
        point,
        face,
        face_normal,
        u,
        v,
        shape,
        size,
        first_face,
        first_normal,
        face_normals,
        normals,
    )
    paint = _paint_at(winner, point, colour, second_colour, pattern, period)
    facing = wp.transpose(turns[winner]) @ there
    return _light_at(paint, facing, towards_sun, ambient, headlight, sun)


@wp.func
def level(light: float) -> wp.uint8:
    """Return the level of a pixel's channel."""
    return wp.uint8(int(wp.clamp(light, 0.0, 1.0) * 255.0))
