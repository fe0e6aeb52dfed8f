"""Trace the rays of all pixels, one tile of a picture after the other."""

# Warp compiles this file: in it an annotation is Warp's, and int(0) declares a variable.
# mypy: ignore-errors
# ruff: noqa: UP018, RUF046

from __future__ import annotations

from lam_envs.rays.hits import TILE, level, light_of
from lam_envs.warp_runtime import FAST_OPTIONS, wp

wp.set_module_options(FAST_OPTIONS)


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
        is_in_columns = box[0] < tile_x + TILE and box[1] >= tile_x
        if is_in_columns and box[2] < tile_y + TILE and box[3] >= tile_y:
            in_tile[count] = drawn
            count += 1
    return count


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
    num_tiles = (image_size + TILE - 1) // TILE
    for tile in range(num_tiles * num_tiles):
        tile_x = (tile % num_tiles) * TILE
        tile_y = (tile // num_tiles) * TILE
        count = _gather(tile_x, tile_y, num_seen[world, camera], near_to_far, boxes, members)
        for y in range(tile_y, wp.min(tile_y + TILE, image_size)):
            for x in range(tile_x, wp.min(tile_x + TILE, image_size)):
                light = light_of(
                    x,
                    y,
                    rays[camera, y, x],
                    members,
                    count,
                    shape,
                    size,
                    mesh,
                    first_face,
                    first_normal,
                    face_normals,
                    normals,
                    colour[world],
                    second_colour[world],
                    pattern[world],
                    period[world],
                    ambient[world],
                    headlight[world],
                    sun[world],
                    towards_sun,
                    origins,
                    turns,
                    near,
                    boxes,
                )
                for channel in range(3):
                    pixels[camera, world, y * image_size + x, channel] = level(light[channel])
