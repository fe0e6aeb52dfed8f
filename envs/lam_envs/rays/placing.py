"""Where each drawn geom is to a camera: its frame, its nearest point, the pixels it may cover."""

# Warp compiles this file: in it an annotation is Warp's, and int(0) declares a variable.
# mypy: ignore-errors
# ruff: noqa: UP018, RUF046

from __future__ import annotations

from lam_envs.warp_runtime import FAST_OPTIONS, wp

# Unrolled, it would compile for seconds and run no faster.
wp.set_module_options({**FAST_OPTIONS, "max_unroll": 1})

_IN_FRONT = wp.constant(1.0e-3)
"""How far before the camera a point must be to be projected, metres."""

_SLACK = wp.constant(0.05)
"""By how much a geom's pixels are widened against rounding, pixels."""

_FAR_OUT = wp.constant(1.0e5)
"""Where bounds begin that nothing is in yet."""


@wp.func
def _nearest(origin: wp.vec3, center: wp.vec3, half: wp.vec3) -> float:
    """Return the distance from a point to a box."""
    outside = wp.vec3(0.0)
    for i in range(3):
        outside[i] = wp.max(wp.abs(origin[i] - center[i]) - half[i], 0.0)
    return wp.length(outside)


@wp.func
def _corner(corner: int, center: wp.vec3, half: wp.vec3) -> wp.vec3:
    return center + wp.vec3(
        wp.where((corner & 1) == 0, -half[0], half[0]),
        wp.where((corner & 2) == 0, -half[1], half[1]),
        wp.where((corner & 4) == 0, -half[2], half[2]),
    )


@wp.func
def _covered(
    origin: wp.vec3, turn: wp.mat33, center: wp.vec3, half: wp.vec3, scale: float, image_size: int
) -> wp.vec4i:
    """Return first and last column, first and last row of the pixels that a box may cover.

    They are the bounds of what is in front of the camera: its corners there, and where its edges
    pass from there to behind the camera.
    """
    low = wp.vec2(_FAR_OUT, _FAR_OUT)
    high = wp.vec2(-_FAR_OUT, -_FAR_OUT)
    inverse = wp.transpose(turn)
    for corner in range(8):
        # The camera looks along -z, x is right and y is up.
        here = inverse @ (_corner(corner, center, half) - origin)
        if here[2] <= -_IN_FRONT:
            pixel = wp.vec2(here[0], -here[1]) / -here[2]
            low = wp.min(low, pixel)
            high = wp.max(high, pixel)
            for axis in range(3):
                there = inverse @ (_corner(corner ^ (1 << axis), center, half) - origin)
                if there[2] > -_IN_FRONT:
                    part = (here[2] + _IN_FRONT) / (here[2] - there[2])
                    cut = here + (there - here) * part
                    pixel = wp.vec2(cut[0], -cut[1]) / _IN_FRONT
                    low = wp.min(low, pixel)
                    high = wp.max(high, pixel)
    middle = 0.5 * float(image_size) - 0.5
    end = float(image_size)
    return wp.vec4i(
        int(wp.ceil(wp.clamp(middle + scale * low[0] - _SLACK, 0.0, end))),
        int(wp.floor(wp.clamp(middle + scale * high[0] + _SLACK, -1.0, end - 1.0))),
        int(wp.ceil(wp.clamp(middle + scale * low[1] - _SLACK, 0.0, end))),
        int(wp.floor(wp.clamp(middle + scale * high[1] + _SLACK, -1.0, end - 1.0))),
    )


@wp.kernel
def place(
    drawn_geom: wp.array[int],
    box_center: wp.array[wp.vec3],
    box_half: wp.array[wp.vec3],
    camera_ids: wp.array[int],
    camera_scale: wp.array[float],
    image_size: int,
    geom_xpos: wp.array2d[wp.vec3],
    geom_xmat: wp.array2d[wp.mat33],
    cam_xpos: wp.array2d[wp.vec3],
    cam_xmat: wp.array2d[wp.mat33],
    origin: wp.array3d[wp.vec3],
    turn: wp.array3d[wp.mat33],
    nearest: wp.array3d[float],
    covered: wp.array3d[wp.vec4i],
    order: wp.array3d[int],
    num_seen: wp.array2d[int],
) -> None:
    """Place all drawn geoms before one camera in one world; sort those in its frame by distance.

    Args:
        drawn_geom: Ids of the drawn geoms; other arrays of geoms follow this order.
        box_center: Center of a box around each, in the geom's frame.
        box_half: Half size of this box.
        camera_ids: Ids of the cameras.
        camera_scale: Their focal lengths, pixels.
        image_size: Height and width, pixels.
        geom_xpos: Where the geoms are, as MuJoCo says it.
        geom_xmat: How they are turned.
        cam_xpos: Where the cameras are.
        cam_xmat: How they are turned.
        origin: Written: where the camera is in each geom's frame.
        turn: Written: rotation from the camera's frame to each geom's.
        nearest: Written: distance from the camera to each geom's box.
        covered: Written: first and last column, first and last row that it may cover.
        order: Written: the geoms in the frame, from near to far.
        num_seen: Written: how many these are.
    """
    world, camera = wp.tid()
    eye = cam_xpos[world, camera_ids[camera]]
    view = cam_xmat[world, camera_ids[camera]]
    count = int(0)
    for drawn in range(drawn_geom.shape[0]):
        geom = drawn_geom[drawn]
        inverse = wp.transpose(geom_xmat[world, geom])
        start = inverse @ (eye - geom_xpos[world, geom])
        rotation = inverse @ view
        center = box_center[drawn]
        half = box_half[drawn]
        distance = _nearest(start, center, half)
        pixels = _covered(start, rotation, center, half, camera_scale[camera], image_size)
        if pixels[0] <= pixels[1] and pixels[2] <= pixels[3]:
            origin[world, camera, drawn] = start
            turn[world, camera, drawn] = rotation
            nearest[world, camera, drawn] = distance
            covered[world, camera, drawn] = pixels
            slot = count
            while slot > 0 and nearest[world, camera, order[world, camera, slot - 1]] > distance:
                order[world, camera, slot] = order[world, camera, slot - 1]
                slot -= 1
            order[world, camera, slot] = drawn
            count += 1
    num_seen[world, camera] = count
