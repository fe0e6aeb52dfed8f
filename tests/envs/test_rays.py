"""The ray tracer: it hits what MuJoCo's own rays hit, where they do, and shades the same side."""

import mujoco
import numpy as np
import numpy.typing as npt
import pytest
import torch

from lam_envs.looks import drawn_geoms, standard_appearance
from lam_envs.rays.appearance import CHECKER, PATCHES, STRIPES, Appearance
from lam_envs.rays.pictures import Pictures
from lam_envs.warp_runtime import wp

IMAGE_SIZE = 60
AMBIENT, HEADLIGHT, SUN = 0.4, 0.15, 0.3
TO_SUN = np.array((0.6, 0.0, 0.8))

SHAPES = {
    "plane": 'type="plane" size="0.3 0.2 1"',
    "endless plane": 'type="plane" size="0 0 1"',
    "sphere": 'type="sphere" size="0.2"',
    "capsule": 'type="capsule" size="0.1 0.2"',
    "ellipsoid": 'type="ellipsoid" size="0.1 0.2 0.3"',
    "cylinder": 'type="cylinder" size="0.2 0.15"',
    "box": 'type="box" size="0.1 0.2 0.3"',
    "mesh": 'type="mesh" mesh="wedge"',
    "height field": 'type="hfield" hfield="hill"',
}

SCENE = """
<mujoco>
  <asset>
    <mesh name="wedge" vertex="0 0 0  .4 0 0  0 .4 0  0 0 .4  .4 .4 .1"/>
    <hfield name="hill" nrow="4" ncol="5" size="0.4 0.3 0.2 0.001"
      elevation="0 0 0 0 0  0 .5 1 .5 0  0 .3 .7 .9 0  0 0 0 0 0"/>
  </asset>
  <worldbody>
    <light/>
    <camera name="eye" pos="{eye}" xyaxes="{axes}" fovy="50"/>
    {geoms}
  </worldbody>
</mujoco>
"""
GEOM = '<geom {shape} pos="{pos}" euler="{euler}" rgba="{red} {green} 0.4 1"/>'


def compile_scene(geoms: list[str], eye: str = "0 -1.5 0.5") -> mujoco.MjModel:
    axes = "1 0 0 0 0.3 1"
    return mujoco.MjModel.from_xml_string(SCENE.format(eye=eye, axes=axes, geoms="".join(geoms)))


def geom(shape: str, pos: str = "0 0 0", euler: str = "20 30 40", number: int = 1) -> str:
    red, green = 0.1 + 0.08 * number, 0.9 - 0.08 * number
    return GEOM.format(shape=SHAPES[shape], pos=pos, euler=euler, red=red, green=green)


def looks_of(model: mujoco.MjModel) -> Appearance:
    """Return the geoms' own colours in the light of these tests."""
    looks = standard_appearance(model, 1)
    looks.ambient[:], looks.headlight[:], looks.sun[:] = AMBIENT, HEADLIGHT, SUN
    looks.to_sun[:] = TO_SUN
    return looks


def draw(
    model: mujoco.MjModel, data: mujoco.MjData, looks: Appearance | None = None
) -> npt.NDArray[np.uint8]:
    """Draw the camera's picture, shape (height, width, 3)."""
    names = ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")
    poses = {name: torch.from_numpy(getattr(data, name)[None]) for name in names}
    drawn = []
    for by_pixel in (False, True):
        with wp.ScopedDevice("cpu"):
            pictures = Pictures(
                model, drawn_geoms(model), 1, ["eye"], IMAGE_SIZE, by_pixel=by_pixel
            )
            pictures.dress((looks or looks_of(model)).tensors())
            pictures.pose(poses)
            pictures.draw()
        drawn.append(pictures.images[0, 0].numpy())
    assert np.array_equal(*drawn)  # With a thread for each pixel and without.
    return drawn[0]


def expected_picture(model: mujoco.MjModel, data: mujoco.MjData) -> npt.NDArray[np.float64]:
    """Cast the same rays with MuJoCo, one at a time."""
    picture = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3))
    slope = np.tan(np.radians(model.cam_fovy[0]) / 2)
    steps = ((np.arange(IMAGE_SIZE) + 0.5) / IMAGE_SIZE * 2 - 1) * slope
    turn = data.cam_xmat[0].reshape(3, 3)
    hit, normal = np.zeros((1, 1), dtype=np.int32), np.zeros((3, 1))
    for row, down in enumerate(steps):
        for column, right in enumerate(steps):
            ray = turn @ (np.array([right, -down, -1.0]) / np.hypot(1.0, np.hypot(right, down)))
            mujoco.mj_ray(model, data, data.cam_xpos[0], ray, None, True, -1, hit, normal)
            if hit[0, 0] >= 0:
                facing = max(0.0, float(normal[:, 0] @ turn[:, 2]))
                sunlit = max(0.0, float(normal[:, 0] @ TO_SUN))
                rgb = model.geom_rgba[hit[0, 0], :3]
                light = AMBIENT + HEADLIGHT * facing + SUN * sunlit
                picture[row, column] = np.trunc(255 * rgb * light)
    return picture


def assert_alike(model: mujoco.MjModel, min_drawn: float) -> None:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    picture, expected = draw(model, data), expected_picture(model, data)
    is_off = (np.abs(picture - expected) > 1).any(-1)
    assert is_off.mean() < 0.002, f"{is_off.sum()} pixels differ"  # Rounding, at outlines.
    assert (picture > 0).any(-1).mean() > min_drawn


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_where_mujoco_says(shape: str) -> None:
    assert_alike(compile_scene([geom(shape)]), min_drawn=0.03)


def test_near_shapes_hide_far_ones() -> None:
    rng = np.random.default_rng(0)
    names = [name for name in SHAPES if name != "endless plane"] * 3
    geoms = [
        geom(
            name,
            " ".join(map(str, rng.uniform(-0.7, 0.7, 3))),
            " ".join(map(str, rng.uniform(-60, 60, 3))),
            number % 9,
        )
        for number, name in enumerate(names)
    ]
    assert_alike(compile_scene([*geoms, geom("endless plane", "0 0 -0.8", "0 0 0")]), 0.5)


def test_shapes_beside_and_behind_the_camera_are_drawn_where_they_are_in_its_frame() -> None:
    geoms = [
        geom("box", "0.15 -1.5 0.5", "0 0 0", 1),  # Beside the camera, partly behind it.
        geom("cylinder", "0 -1.9 0.5", "0 0 0", 2),  # Behind it.
        geom("ellipsoid", "-0.15 -1.2 0.5", "0 0 0", 3),
    ]
    assert_alike(compile_scene(geoms), min_drawn=0.03)


def test_a_shape_is_not_seen_from_inside() -> None:
    model = compile_scene([geom("box", "0 -1.5 0.5"), geom("sphere", "0 -1.4 0.5")])
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    assert not draw(model, data).any()


def test_a_mesh_around_the_camera_hides_nothing_and_lets_nothing_through() -> None:
    """Back faces are passed once, also those near the camera, where rounding is coarse."""
    outside = compile_scene([geom("mesh", "0.1 -0.5 0.3", "0 0 0")])
    around = '<geom type="mesh" mesh="wedge" pos="-0.15 -1.55 0.45" rgba="1 0 0 1"/>'
    inside = compile_scene([geom("mesh", "0.1 -0.5 0.3", "0 0 0"), around])
    pictures = []
    for model in (outside, inside):
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        pictures.append(draw(model, data))
    assert pictures[0].any()
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("pattern", [CHECKER, STRIPES, PATCHES])
def test_patterns_mix_two_colours(pattern: int) -> None:
    model = compile_scene([geom("box", "0 0 0", "0 0 0")])
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    looks = looks_of(model)
    plain = draw(model, data, looks)
    looks.pattern[:], looks.period[:] = pattern, 0.1
    assert np.array_equal(draw(model, data, looks), plain), "both colours are the same"
    looks.second_colour[:] = 0.0
    picture = draw(model, data, looks)
    is_drawn = plain.any(-1)
    share = picture[is_drawn].sum() / plain[is_drawn].sum()
    assert 0.3 < share < 0.7
    assert not picture[~is_drawn].any()
