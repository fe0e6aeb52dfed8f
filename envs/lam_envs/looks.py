"""How scenes look to the cameras: a copy of the model with even light and plain colours.

Ambient light and a weak light on the camera: nothing clips to white, no matter which way a surface
faces, and pictures do not depend on where a scene has its lights. There are no shadows.
"""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
import numpy.typing as npt

from lam_envs.errors import SceneError
from lam_envs.rays.drawn import DrawnGeoms
from lam_envs.scene import copy_model

VISIBLE_GROUPS = (0, 1, 2)
"""Groups of the geoms that the cameras draw."""

_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
_TABLE = "tablelink"

_HEADLIGHT_AMBIENT = 0.4
_HEADLIGHT_DIFFUSE = 0.15
_TEXTURE_GAIN = 1.4


@lru_cache(maxsize=8)
def render_model(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a copy for rendering: textures as mean colours, one light.

    Args:
        model: The scene's model; it is not changed.

    Returns:
        The copy. It is cached and shared: treat it as read-only.
    """
    look = copy_model(model)
    _flatten_textures(look)
    _set_lights(look)
    return look


@lru_cache(maxsize=8)
def drawn_geoms(model: mujoco.MjModel) -> DrawnGeoms:
    """Return what the cameras draw of a scene.

    Args:
        model: The scene's model; it is not changed.

    Returns:
        The geoms on Warp's current device. They are cached and shared: treat them as read-only.

    Raises:
        SceneError: The scene has flexible bodies.
    """
    look = render_model(model)
    if look.nflex > 0:
        raise SceneError(
            f"the cameras cannot draw the {look.nflex} flexible bodies (flex) of this scene; "
            "use rigid geoms."
        )
    geoms = [geom for geom in range(look.ngeom) if _is_drawn(look, geom)]
    return DrawnGeoms(look, geoms, np.array([_rgba(look, geom)[:3] for geom in geoms]))


def _flatten_textures(look: mujoco.MjModel) -> None:
    """Give each textured material its texture's mean colour."""
    for material in range(look.nmat):
        textures = look.mat_texid[material]
        used = textures[textures >= 0]
        if len(used) == 0:
            continue
        texture = int(used[0])
        start = int(look.tex_adr[texture])
        channels = int(look.tex_nchannel[texture])
        count = int(look.tex_height[texture]) * int(look.tex_width[texture])
        pixels = look.tex_data[start : start + count * channels].reshape(count, channels)
        mean = pixels[:, :3].astype(np.float64).mean(0) / 255.0
        look.mat_rgba[material, :3] = mean * _TEXTURE_GAIN


def _set_lights(look: mujoco.MjModel) -> None:
    """Leave the headlight alone on, so weak that no surface clips to white."""
    look.light_active[:] = 0
    look.vis.headlight.active = 1
    look.vis.headlight.ambient[:] = _HEADLIGHT_AMBIENT
    look.vis.headlight.diffuse[:] = _HEADLIGHT_DIFFUSE
    look.vis.headlight.specular[:] = 0.0


def _is_drawn(look: mujoco.MjModel, geom: int) -> bool:
    """Say whether a camera can see a geom."""
    is_visible = int(look.geom_group[geom]) in VISIBLE_GROUPS and _rgba(look, geom)[3] > 0.0
    return bool(is_visible) and not _is_under_table(look, geom)


def _is_under_table(look: mujoco.MjModel, geom: int) -> bool:
    """Say whether a geom is of the table's frame or legs; the cameras are above its top."""
    is_mesh = int(look.geom_type[geom]) == int(mujoco.mjtGeom.mjGEOM_MESH)
    return is_mesh and look.body(int(look.geom_bodyid[geom])).name == _TABLE


def _rgba(look: mujoco.MjModel, geom: int) -> npt.NDArray[np.float32]:
    """Return a geom's colour: its own, or that of its material where its own is the default."""
    material = int(look.geom_matid[geom])
    has_default = bool((look.geom_rgba[geom] == _DEFAULT_RGBA).all())
    rgba: npt.NDArray[np.float32] = (
        look.mat_rgba[material] if material >= 0 and has_default else look.geom_rgba[geom]
    )
    return rgba
