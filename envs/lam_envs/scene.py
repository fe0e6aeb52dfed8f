"""Load a scene: MJCF, goal marker, our two cameras, and what the Sawyer arm needs.

The marker and the cameras do not touch the physics: parity tests compare it with the original.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
import numpy.typing as npt

from lam_envs.errors import SceneError
from lam_envs.mjcf import read_spec, scene_path

GOAL_MARKER = "goal_marker"
"""Name of the green sphere that shows a task's goal to the cameras."""

GOAL_MARKER_RGBA = (0.1, 0.9, 0.1, 1.0)
GOAL_MARKER_RADIUS_M = 0.02

GOAL_FOOT = "goal_foot"
"""Name of the dark green disc on the table straight below the marker.

A marker in the air is as many pixels wide at any depth; where its foot is tells the depth.
"""

GOAL_FOOT_RGBA = (0.05, 0.3, 0.05, 1.0)
GOAL_FOOT_RADIUS_M = 0.03
GOAL_FOOT_HEIGHT_M = 0.002
"""Height of the disc's upper side over the table's top, which is at z = 0."""

CAMERAS = ("front", "wrist")
"""Cameras that every scene has."""

_WELD_DATA = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 5.0)
"""First eleven numbers of the weld between mocap and hand, as Meta-World writes them."""

_FINGERS = ("rightclaw", "leftclaw")
"""Bodies of the fingers, in the order of the actuators that close them."""

_NEEDED = {
    mujoco.mjtObj.mjOBJ_BODY: ("mocap", "hand", *_FINGERS),
    mujoco.mjtObj.mjOBJ_SITE: ("rightEndEffector", "leftEndEffector"),
}
"""What the control of the arm and its state read."""

# All of the goals and objects of Meta-World's tasks are in the frame, and hardly any more.
_FRONT_CAMERA_POS = (1.35, -0.23, 1.38)
_FRONT_CAMERA_TARGET = (0.047, 0.604, 0.094)
_FRONT_CAMERA_FOVY_DEG = 20.8

# In the hand's frame: x points down along the fingers, y across them, z to the arm's side.
_WRIST_CAMERA_POS = (-0.06, 0.0, 0.11)
_WRIST_CAMERA_TARGET = (0.09, 0.0, 0.0)
_WRIST_CAMERA_UP = (-1.0, 0.0, 0.0)
_WRIST_CAMERA_FOVY_DEG = 85.0


def _look_at(
    position: tuple[float, ...], target: tuple[float, ...], up: tuple[float, ...]
) -> npt.NDArray[np.float64]:
    """Return the quaternion w, x, y, z of a camera at `position` that looks at `target`."""
    backward = np.subtract(position, target)
    backward /= np.linalg.norm(backward)
    right = np.cross(up, backward)
    right /= np.linalg.norm(right)
    rotation = np.column_stack((right, np.cross(backward, right), backward))
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, rotation.ravel())
    return quat


def _add_cameras(spec: mujoco.MjSpec) -> None:
    """Add `front` (fixed, upright, filled by the workspace) and `wrist` (rides on the hand)."""
    spec.worldbody.add_camera(
        name="front",
        pos=_FRONT_CAMERA_POS,
        quat=_look_at(_FRONT_CAMERA_POS, _FRONT_CAMERA_TARGET, (0.0, 0.0, 1.0)),
        fovy=_FRONT_CAMERA_FOVY_DEG,
    )
    hand = spec.body("hand")
    if hand is None:
        return  # `_check_arm` says so.
    hand.add_camera(
        name="wrist",
        pos=_WRIST_CAMERA_POS,
        quat=_look_at(_WRIST_CAMERA_POS, _WRIST_CAMERA_TARGET, _WRIST_CAMERA_UP),
        fovy=_WRIST_CAMERA_FOVY_DEG,
    )


@lru_cache(maxsize=16)
def load_model(model_file: str) -> mujoco.MjModel:
    """Compile a scene: the original's physics with our marker and cameras.

    Args:
        model_file: Path below metaworld's `assets` folder, or an absolute path.

    Returns:
        The compiled model. It is cached and shared: treat it as read-only.

    Raises:
        SceneError: The file is missing, MuJoCo cannot compile it, or it lacks the Sawyer arm.
    """
    path = scene_path(model_file)
    try:
        spec = read_spec(path)
        spec.worldbody.add_geom(
            name=GOAL_MARKER,
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[GOAL_MARKER_RADIUS_M, 0.0, 0.0],
            rgba=GOAL_MARKER_RGBA,
            mass=0.0,
            contype=0,
            conaffinity=0,
            group=1,
        )
        spec.worldbody.add_geom(
            name=GOAL_FOOT,
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[GOAL_FOOT_RADIUS_M, GOAL_FOOT_HEIGHT_M, 0.0],
            rgba=GOAL_FOOT_RGBA,
            mass=0.0,
            contype=0,
            conaffinity=0,
            group=1,
        )
        _add_cameras(spec)
        model = spec.compile()
    except ValueError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise SceneError(f"MuJoCo cannot compile the scene {path} ({reason}); mend it.") from error
    _check_arm(model, path)
    _check_fingers(model, path)
    welds = _hand_welds(model)
    if not welds:
        raise SceneError(
            f"the scene {path} has no weld that holds the body 'hand' to 'mocap', without which "
            'the hand follows no action; add <weld body1="mocap" body2="hand" '
            'solref="0.02 1"/> to its <equality>.'
        )
    model.eq_data[welds] = 0.0
    model.eq_data[welds, : len(_WELD_DATA)] = _WELD_DATA
    return model


def _hand_welds(model: mujoco.MjModel) -> list[int]:
    """Return the active welds between mocap and hand; those of a scene's own things are others."""
    ends = {model.body("mocap").id, model.body("hand").id}
    return [
        weld
        for weld in range(model.neq)
        if model.eq_type[weld] == int(mujoco.mjtEq.mjEQ_WELD)
        and model.eq_objtype[weld] == int(mujoco.mjtObj.mjOBJ_BODY)
        and model.eq_active0[weld]
        and {int(model.eq_obj1id[weld]), int(model.eq_obj2id[weld])} == ends
    ]


def _check_arm(model: mujoco.MjModel, path: Path) -> None:
    """Refuse a scene without the parts of the Sawyer arm that control and state need."""
    for kind, names in _NEEDED.items():
        for name in names:
            if mujoco.mj_name2id(model, int(kind), name) < 0:
                word = kind.name.removeprefix("mjOBJ_").lower()
                raise SceneError(
                    f"the scene {path} has no {word} {name!r}; include Meta-World's Sawyer arm "
                    "(../objects/assets/xyz_base.xml) in its worldbody."
                )
    if model.nmocap < 1 or model.body_mocapid[model.body("mocap").id] < 0:
        raise SceneError(f"the body 'mocap' of the scene {path} must have mocap=\"true\".")


def _check_fingers(model: mujoco.MjModel, path: Path) -> None:
    """Refuse other actuators than two that close the right and the left finger, in this order."""
    if model.nu != len(_FINGERS):
        raise SceneError(
            f"the scene {path} has {model.nu} actuators; it must have two, which close the right "
            "and the left finger (see docs/tasks.md)."
        )
    for actuator, finger in enumerate(_FINGERS):
        joint = int(model.actuator_trnid[actuator, 0])
        kind = model.actuator_trntype[actuator]
        is_joint = kind == int(mujoco.mjtTrn.mjTRN_JOINT)
        if not is_joint or model.jnt_bodyid[joint] != model.body(finger).id:
            raise SceneError(
                f"actuator {actuator} of the scene {path} moves no joint of the body {finger!r}; "
                "the first must close the right finger and the second the left one: move the "
                "joints r_close and l_close, in this order."
            )


def name_to_id(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str) -> int:
    """Return the id of a named body, geom, site, joint, sensor or camera.

    Raises:
        SceneError: The model has no such name.
    """
    index = int(mujoco.mj_name2id(model, int(kind), name))
    if index < 0:
        word = kind.name.removeprefix("mjOBJ_").lower()
        raise SceneError(
            f"the scene has no {word} named {name!r}; name one that its MJCF file has."
        )
    return index


def model_digest(model_file: str) -> str:
    """Return the SHA-256 of a compiled scene: of its MJCF, all it includes, meshes and textures."""
    model = load_model(model_file)
    content = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, content)
    return hashlib.sha256(content.tobytes()).hexdigest()
