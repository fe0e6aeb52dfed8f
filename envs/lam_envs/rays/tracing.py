"""Trace the rays of all pixels, one tile of a picture after the other."""

# Warp compiles this file: in it an annotation is Warp's, and int(0) declares a variable.
# mypy: ignore-errors
# ruff: noqa: UP018, RUF046

from __future__ import annotations

from lam_envs.rays import appearance
from lam_envs.rays.shapes import MESH, MISS, entry, normal
from lam_envs.warp_runtime import FAST_OPTIONS, wp

wp.set_module_options(FAST_OPTIONS)

_TILE = wp.constant(8)
"""Height and width of a tile, pixels. Its rays share the list of geoms that they may hit."""

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
def _gather(
    tile_x: int,
    tile_y: int,
    num_seen: int,
    order: wp.array[int],
    covered: wp.array[wp.vec4i],
    in_tile: wp.array[int],
) -> int:
    """List the geoms that may be in a tile, from near to far; return their number."""
    count = int(0)
    for i in range(num_seen):
        drawn = order[i]
        box = covered[drawn]
        is_in_columns = box[0] < tile_x + _TILE and box[1] >= tile_x
        if is_in_columns and box[2] < tile_y + _TILE and box[3] >= tile_y:
            in_tile[count] = drawn
            count += 1
    return count


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


@wp.kernel
def trace(
    shape: wp.array[int],
    size: wp.array[wp.vec3],
    mesh: wp.array[wp.uint64],
    first_face: wp.array[int],
    first_normal: wp.array[int],
    face_normals: wp.array[wp.vec3i],
    normals: wp.array[wp.vec3],
    colour: wp.array2d[wp.vec3],
    second_colour: wp.array2d[wp.vec3],
    pattern: wp.array2d[int],
    period: wp.array2d[float],
    ambient: wp.array[wp.vec3],
    headlight: wp.array[wp.vec3],
    sun: wp.array[wp.vec3],
    to_sun: wp.array[wp.vec3],
    camera_ids: wp.array[int],
    cam_xmat: wp.array2d[wp.mat33],
    rays: wp.array3d[wp.vec3],
    origin: wp.array3d[wp.vec3],
    turn: wp.array3d[wp.mat33],
    nearest: wp.array3d[float],
    covered: wp.array3d[wp.vec4i],
    order: wp.array3d[int],
    num_seen: wp.array2d[int],
    in_tile: wp.array3d[int],
    image_size: int,
    pixels: wp.array4d[wp.uint8],
) -> None:
    """Draw the picture of one camera in one world.

    `place`, `DrawnGeoms` and `Appearance` say what the arguments are.
    """
    world, camera = wp.tid()
    towards_sun = wp.transpose(cam_xmat[world, camera_ids[camera]]) @ to_sun[world]
    origins = origin[world, camera]
    turns = turn[world, camera]
    near = nearest[world, camera]
    boxes = covered[world, camera]
    near_to_far = order[world, camera]
    members = in_tile[world, camera]
    num_tiles = (image_size + _TILE - 1) // _TILE
    for tile in range(num_tiles * num_tiles):
        tile_x = (tile % num_tiles) * _TILE
        tile_y = (tile // num_tiles) * _TILE
        count = _gather(tile_x, tile_y, num_seen[world, camera], near_to_far, boxes, members)
        for y in range(tile_y, wp.min(tile_y + _TILE, image_size)):
            for x in range(tile_x, wp.min(tile_x + _TILE, image_size)):
                ray = rays[camera, y, x]
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
                light = wp.vec3()
                if winner >= 0:
                    point = origins[winner] + turns[winner] @ ray * best
                    if face < 0:
                        face_normal = normal(shape[winner], size[winner], point)
                    elif first_face[winner] >= 0:
                        corners = face_normals[first_face[winner] + face]
                        first = first_normal[winner]
                        face_normal = _mesh_normal(corners, normals, first, face_normal, u, v)
                    paint = colour[world, winner]
                    if pattern[world, winner] != _PLAIN:
                        share = _second_share(pattern[world, winner], period[world, winner], point)
                        paint += (second_colour[world, winner] - paint) * share
                    # In the camera's frame, whose z axis points from the scene to the camera.
                    facing = wp.transpose(turns[winner]) @ face_normal
                    light = ambient[world] + headlight[world] * wp.max(facing[2], 0.0)
                    light += sun[world] * wp.max(wp.dot(facing, towards_sun), 0.0)
                    light = wp.cw_mul(paint, light)
                for channel in range(3):
                    value = int(wp.clamp(light[channel], 0.0, 1.0) * 255.0)
                    pixels[camera, world, y * image_size + x, channel] = wp.uint8(value)
