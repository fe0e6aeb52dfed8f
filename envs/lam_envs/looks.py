"""How scenes look to the cameras: a copy of the model with even light and plain colours."""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np

from lam_envs.scene import copy_model

VISIBLE_GROUPS = (0, 1, 2)
"""Groups of the geoms that the cameras draw."""

_HIDDEN_GROUP = 5

_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
_TABLE = "tablelink"

_LIGHT_DIFFUSE = 0.5
_HEADLIGHT_AMBIENT = 0.4
_HEADLIGHT_DIFFUSE = 0.15
_TEXTURE_GAIN = 1.4


@lru_cache(maxsize=8)
def render_model(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a copy for rendering: no geom margins, textures as mean colours, one light.

    Args:
        model: The scene's model; it is not changed.

    Returns:
        The copy. It is cached and shared: treat it as read-only.
    """
    look = copy_model(model)
    # mujoco_warp refuses margins together with multiccd; for pictures they mean nothing.
    look.geom_margin[:] = 0.0
    _flatten_textures(look)
    _set_lights(look)
    _hide_unseen(look)
    return look


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
    """Keep one directional light and a weak headlight, so that no surface clips to white."""
    look.light_active[:] = 0
    look.light_active[0] = 1
    look.light_type[0] = int(mujoco.mjtLightType.mjLIGHT_DIRECTIONAL)
    look.light_dir[0] = np.array([-0.45, 0.45, -0.77])
    look.light_diffuse[0] = _LIGHT_DIFFUSE
    look.light_ambient[0] = 0.0
    look.vis.headlight.ambient[:] = _HEADLIGHT_AMBIENT
    look.vis.headlight.diffuse[:] = _HEADLIGHT_DIFFUSE
    look.vis.headlight.specular[:] = 0.0


def _hide_unseen(look: mujoco.MjModel) -> None:
    """Take out what no camera can see, which would cost time: the pictures stay the same."""
    for geom in range(look.ngeom):
        is_mesh = int(look.geom_type[geom]) == int(mujoco.mjtGeom.mjGEOM_MESH)
        body = look.body(int(look.geom_bodyid[geom])).name
        # The table's frame and legs are under its top, and the cameras above it.
        if _alpha(look, geom) == 0.0 or (is_mesh and body == _TABLE):
            look.geom_group[geom] = _HIDDEN_GROUP


def _alpha(look: mujoco.MjModel, geom: int) -> float:
    """Return a geom's opacity: its own, or that of its material where its colour is the default."""
    material = int(look.geom_matid[geom])
    has_default = bool((look.geom_rgba[geom] == _DEFAULT_RGBA).all())
    if material >= 0 and has_default:
        return float(look.mat_rgba[material, 3])
    return float(look.geom_rgba[geom, 3])
