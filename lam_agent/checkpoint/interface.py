"""What a policy takes from a robot and gives back: shapes, types, units, order, meaning, cameras.

These descriptions stand in a checkpoint's `config.json`, so that a controller can be built from
that file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco

from lam_agent.config import PolicyConfig
from lam_agent.types import ACTION_NAMES, PROPRIOCEPTION_NAMES
from lam_envs.scene import CAMERAS, load_model
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import ACTION_SCALE_M

PROPRIOCEPTION = "proprioception"

_CAMERA_MEANING = {
    "front": "RGB picture of the workspace from a fixed camera, row 0 at the top",
    "wrist": "RGB picture from a camera that rides on the hand and looks at the finger tips, "
    "row 0 at the top",
}


@dataclass(frozen=True)
class CameraPose:
    """Where a camera is.

    Attributes:
        mounted_on: Body whose frame position and orientation are given in.
        position_m: xyz, metres.
        quaternion_wxyz: Orientation; the camera looks along its -z axis and its +y axis is up.
        fovy_deg: Vertical field of view, degrees; the pictures are square.
    """

    mounted_on: str
    position_m: tuple[float, float, float]
    quaternion_wxyz: tuple[float, float, float, float]
    fovy_deg: float


@dataclass(frozen=True)
class ObservationEntry:
    """One key of an observation.

    Attributes:
        shape: Shape for one robot, without the batch axis.
        dtype: Name of the type, the same in NumPy and torch.
        unit: Units of the values.
        order: What the values along the last axis are.
        meaning: What is observed, in words.
        camera: The camera's pose; None where the key is no picture.
    """

    shape: tuple[int, ...]
    dtype: str
    unit: str
    order: tuple[str, ...]
    meaning: str
    camera: CameraPose | None = None


@dataclass(frozen=True)
class ActionEntry:
    """One entry of an action, which is commanded in each control step.

    Attributes:
        name: Name of the entry.
        low: Lower limit.
        high: Upper limit.
        unit: Unit of the action times `scale`.
        scale: What an action of 1 commands, in `unit`.
        meaning: What is commanded, in words.
    """

    name: str
    low: float
    high: float
    unit: str
    scale: float
    meaning: str


def observation_layout(policy: PolicyConfig) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return shape and type of each key that a policy of these sizes observes."""
    image = (policy.image_size, policy.image_size, 3)
    layout: dict[str, tuple[tuple[int, ...], str]] = {
        camera: (image, "uint8") for camera in CAMERAS
    }
    return {**layout, PROPRIOCEPTION: ((len(PROPRIOCEPTION_NAMES),), "float32")}


def describe_observation(policy: PolicyConfig, task: str) -> dict[str, ObservationEntry]:
    """Describe every key of an observation.

    Args:
        policy: Sizes of the policy.
        task: Name of a task, from whose scene the cameras are read; all scenes have the same.
    """
    poses = _camera_poses(task)
    entries = {}
    for key, (shape, dtype) in observation_layout(policy).items():
        if key == PROPRIOCEPTION:
            entries[key] = ObservationEntry(
                shape,
                dtype,
                unit="metres for hand_*; gripper_opening has none",
                order=PROPRIOCEPTION_NAMES,
                meaning="hand position in the world frame (x to the robot's right, y away from it, "
                "z up); distance of the fingers over 0.1 m, clipped to [0, 1]",
            )
        else:
            entries[key] = ObservationEntry(
                shape,
                dtype,
                unit="intensity from 0 to 255",
                order=("red", "green", "blue"),
                meaning=_CAMERA_MEANING[key],
                camera=poses[key],
            )
    return entries


def describe_actions() -> tuple[ActionEntry, ...]:
    """Describe the entries of an action, in order."""
    moves = tuple(
        ActionEntry(
            name,
            low=-1.0,
            high=1.0,
            unit="metres in a control step",
            scale=ACTION_SCALE_M,
            meaning=f"displacement of the hand's target along the world's {name[-1]} axis; "
            f"1 = {100 * ACTION_SCALE_M:g} cm in each control step",
        )
        for name in ACTION_NAMES[:3]
    )
    gripper = ActionEntry(
        ACTION_NAMES[3],
        low=-1.0,
        high=1.0,
        unit="share of the finger motors' range",
        scale=1.0,
        meaning="effort of the fingers; 1 = close, -1 = open",
    )
    return (*moves, gripper)


def _camera_poses(task: str) -> Mapping[str, CameraPose]:
    """Read the cameras' poses from a task's scene."""
    model = load_model(make_task(task).model_file)
    poses = {}
    for name in CAMERAS:
        camera = model.cam(name)
        x, y, z = (float(value) for value in camera.pos)
        w, i, j, k = (float(value) for value in camera.quat)
        body = mujoco.mj_id2name(model, int(mujoco.mjtObj.mjOBJ_BODY), int(camera.bodyid[0]))
        poses[name] = CameraPose(body, (x, y, z), (w, i, j, k), float(camera.fovy[0]))
    return poses
