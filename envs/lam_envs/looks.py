"""How scenes look to the cameras: which geoms they see, in plain colours and even light.

Ambient light, a weak light on the camera, and one from above: nothing clips to white, no matter
which way a surface faces, and pictures do not depend on where a scene has its lights.
"""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
import numpy.typing as npt

from lam_envs.errors import SceneError
from lam_envs.rays.appearance import Appearance, plain
from lam_envs.rays.drawn import DrawnGeoms
from lam_envs.warp_runtime import wp

VISIBLE_GROUPS = (0, 1, 2)
"""Groups of the geoms that the cameras draw."""

_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
_TABLE = "tablelink"

AMBIENT = 0.4
"""Share of a surface's colour that is seen in any light."""

HEADLIGHT = 0.2
"""Share that is added where a surface faces the camera."""

SUN = 0.35
"""Share that is added where a surface faces the light above the table."""

TO_SUN = (0.3, -0.4, 0.866)
"""Unit vector to this light, in the world frame: above, and from the side of the front camera."""

_TEXTURE_GAIN = 1.4


@lru_cache(maxsize=8)
def drawn_geoms(model: mujoco.MjModel, device: str = "cpu") -> DrawnGeoms:
    """Return what the cameras draw of a scene.

    Args:
        model: The scene's model; it is not changed.
        device: Warp's name of a device.

    Returns:
        The geoms on the device. They are cached and shared: treat them as read-only.

    Raises:
        SceneError: The scene has flexible bodies.
    """
    if model.nflex > 0:
        raise SceneError(
            f"the cameras cannot draw the {model.nflex} flexible bodies (flex) of this scene; "
            "use rigid geoms."
        )
    with wp.ScopedDevice(device):
        return DrawnGeoms(model, drawn_ids(model))


def drawn_ids(model: mujoco.MjModel) -> list[int]:
    """Return the ids of the geoms that a camera can see, ascending."""
    return [geom for geom in range(model.ngeom) if _is_drawn(model, geom)]


def standard_appearance(model: mujoco.MjModel, num_worlds: int) -> Appearance:
    """Return the looks that all worlds have where nothing is randomised.

    Args:
        model: The scene's model; it is not changed.
        num_worlds: Number of worlds.
    """
    materials = _plain_materials(model)
    colours = np.array([_rgba(model, materials, geom)[:3] for geom in drawn_ids(model)])
    ambient, headlight, sun = (np.full(3, share) for share in (AMBIENT, HEADLIGHT, SUN))
    looks = plain(num_worlds, colours, (ambient, headlight, sun))
    looks.to_sun[:] = TO_SUN
    return looks


def _plain_materials(model: mujoco.MjModel) -> npt.NDArray[np.float32]:
    """Return the materials' colours, (nmat, 4): of a texture its mean."""
    colours: npt.NDArray[np.float32] = model.mat_rgba.copy()
    for material in range(model.nmat):
        textures = model.mat_texid[material]
        used = textures[textures >= 0]
        if len(used) == 0:
            continue
        texture = int(used[0])
        start = int(model.tex_adr[texture])
        channels = int(model.tex_nchannel[texture])
        count = int(model.tex_height[texture]) * int(model.tex_width[texture])
        pixels = model.tex_data[start : start + count * channels].reshape(count, channels)
        mean = pixels[:, :3].astype(np.float64).mean(0) / 255.0
        colours[material, :3] = mean * _TEXTURE_GAIN
    return colours


def _is_drawn(model: mujoco.MjModel, geom: int) -> bool:
    """Say whether a camera can see a geom."""
    alpha = _rgba(model, model.mat_rgba, geom)[3]
    is_visible = int(model.geom_group[geom]) in VISIBLE_GROUPS and alpha > 0.0
    return bool(is_visible) and not _is_under_table(model, geom)


def _is_under_table(model: mujoco.MjModel, geom: int) -> bool:
    """Say whether a geom is of the table's frame or legs; the cameras are above its top."""
    is_mesh = int(model.geom_type[geom]) == int(mujoco.mjtGeom.mjGEOM_MESH)
    return is_mesh and model.body(int(model.geom_bodyid[geom])).name == _TABLE


def _rgba(
    model: mujoco.MjModel, materials: npt.NDArray[np.float32], geom: int
) -> npt.NDArray[np.float32]:
    """Return a geom's colour: its own, or that of its material where its own is the default."""
    material = int(model.geom_matid[geom])
    has_default = bool((model.geom_rgba[geom] == _DEFAULT_RGBA).all())
    rgba: npt.NDArray[np.float32] = (
        materials[material] if material >= 0 and has_default else model.geom_rgba[geom]
    )
    return rgba
