"""Trace the rays of all pixels, each in a thread of its own: for GPUs."""

# Warp compiles this file: in it an annotation is Warp's, and int(0) declares a variable.
# mypy: ignore-errors

from __future__ import annotations

from lam_envs.rays.hits import TILE, level, light_of
from lam_envs.warp_runtime import FAST_OPTIONS, wp

wp.set_module_options(FAST_OPTIONS)


@wp.kernel
def trace_pixels(
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
    image_size: int,
    pixels: wp.array4d[wp.uint8],
) -> None:
    """Draw one pixel of one camera in one world; threads that are neighbours draw a tile.

    `place`, `DrawnGeoms` and `Appearance` say what the arguments are.
    """
    world, camera, number = wp.tid()
    num_tiles = (image_size + TILE - 1) // TILE
    tile = number // (TILE * TILE)
    inside = number % (TILE * TILE)
    x = (tile % num_tiles) * TILE + inside % TILE
    y = (tile // num_tiles) * TILE + inside // TILE
    if x >= image_size or y >= image_size:
        return
    towards_sun = wp.transpose(cam_xmat[world, camera_ids[camera]]) @ to_sun[world]
    light = light_of(
        x,
        y,
        rays[camera, y, x],
        order[world, camera],
        num_seen[world, camera],
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
        origin[world, camera],
        turn[world, camera],
        nearest[world, camera],
        covered[world, camera],
    )
    for channel in range(3):
        pixels[camera, world, y * image_size + x, channel] = level(light[channel])
