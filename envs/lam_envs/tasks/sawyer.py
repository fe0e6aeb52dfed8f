"""The Sawyer arm's worlds as tasks see them: named views of a BatchSim, and writes to it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import torch

from lam_envs.errors import SceneError
from lam_envs.scene import name_to_id
from lam_envs.sim.protocol import BatchSim
from lam_envs.tensors import write

ACTION_SIZE = 4
"""Entries of an action: hand displacement xyz and finger effort."""

NUM_SUBSTEPS = 5
"""Physics steps in one control step (frame skip)."""

ACTION_SCALE_M = 0.01
"""Hand displacement of an action of 1, metres."""

HAND_SPACE_LOW = (-0.525, 0.348, -0.0525)
HAND_SPACE_HIGH = (0.525, 1.025, 0.7)

STATE_SIZE = 39

POSES = slice(4, 18)
"""Entries of the state that hold the poses of up to two objects."""

NUM_ARM_JOINTS = 9
"""Joints of the arm and its fingers; numbers of the joint after them begin here."""

_FREE = {int(mujoco.mjtJoint.mjJNT_FREE): "free"}
_HINGE_OR_SLIDE = {
    int(mujoco.mjtJoint.mjJNT_HINGE): "hinge",
    int(mujoco.mjtJoint.mjJNT_SLIDE): "slide",
}


@dataclass
class EpisodeStart:
    """What the reward remembers of the start of each world's episode.

    Attributes:
        target_pos: Goal, shape (N, 3).
        obj_init_pos: Object position, shape (N, 3).
        init_tcp: Point between the finger tips after settling, shape (N, 3).
        second_init_pos: Position of a second object, or of a part, where a task has one, (N, 3).
    """

    target_pos: torch.Tensor
    obj_init_pos: torch.Tensor
    init_tcp: torch.Tensor
    second_init_pos: torch.Tensor


class SawyerWorlds:
    """Many worlds with a Sawyer arm.

    Args:
        sim: Engine with the scene's model.

    Attributes:
        start: What the reward remembers of the start; tasks write it.
    """

    def __init__(self, sim: BatchSim) -> None:
        self.sim = sim
        self._body_ids: dict[str, int] = {}
        self._site_ids: dict[str, int] = {}
        self._geom_ids: dict[str, int] = {}
        self._joint_ids: dict[str, int] = {}
        self._sensor_ids: dict[str, int] = {}
        self.start = EpisodeStart(*(self._zeros(sim.num_worlds, 3) for _ in range(4)))

    # Named views -------------------------------------------------------------------------------

    def body_id(self, name: str) -> int:
        """Return a body's id."""
        return self._lookup(self._body_ids, mujoco.mjtObj.mjOBJ_BODY, name)

    def body_pos(self, name: str) -> torch.Tensor:
        """Return a body's position, shape (N, 3)."""
        return self.sim.field("xpos")[:, self.body_id(name)]

    def body_quat(self, name: str) -> torch.Tensor:
        """Return a body's quaternion w, x, y, z, shape (N, 4)."""
        return self.sim.field("xquat")[:, self.body_id(name)]

    def body_pose(self, name: str) -> torch.Tensor:
        """Return a body's position and quaternion w, x, y, z, shape (N, 7)."""
        return torch.cat((self.body_pos(name), self.body_quat(name)), 1)

    def site_pos(self, name: str) -> torch.Tensor:
        """Return a site's position, shape (N, 3)."""
        index = self._lookup(self._site_ids, mujoco.mjtObj.mjOBJ_SITE, name)
        return self.sim.field("site_xpos")[:, index]

    def geom_pos(self, name: str) -> torch.Tensor:
        """Return a geom's position, shape (N, 3)."""
        index = self._lookup(self._geom_ids, mujoco.mjtObj.mjOBJ_GEOM, name)
        return self.sim.field("geom_xpos")[:, index]

    def geom_matrix(self, name: str) -> torch.Tensor:
        """Return a geom's rotation matrix, shape (N, 3, 3)."""
        index = self._lookup(self._geom_ids, mujoco.mjtObj.mjOBJ_GEOM, name)
        return self.sim.field("geom_xmat")[:, index].reshape(-1, 3, 3)

    def joint(self, name: str) -> torch.Tensor:
        """Return the live position of a hinge (radians) or slide joint (metres), shape (N,)."""
        joint = self._lookup(self._joint_ids, mujoco.mjtObj.mjOBJ_JOINT, name)
        return self.sim.field("qpos")[:, int(self.sim.model.jnt_qposadr[joint])]

    def sensor(self, name: str) -> torch.Tensor:
        """Return what a sensor of the scene reads, shape (N, numbers of the sensor)."""
        sensor = self._lookup(self._sensor_ids, mujoco.mjtObj.mjOBJ_SENSOR, name)
        start = int(self.sim.model.sensor_adr[sensor])
        size = int(self.sim.model.sensor_dim[sensor])
        return self.sim.field("sensordata")[:, start : start + size]

    @property
    def hand_pos(self) -> torch.Tensor:
        """Position of the hand, shape (N, 3)."""
        return self.body_pos("hand")

    @property
    def tcp(self) -> torch.Tensor:
        """Tool centre point: the middle between the finger tips, shape (N, 3)."""
        return (self.site_pos("rightEndEffector") + self.site_pos("leftEndEffector")) / 2.0

    @property
    def gripper_opening(self) -> torch.Tensor:
        """Distance of the fingers over 0.1 m, clipped to [0, 1], shape (N,)."""
        between = self.body_pos("rightclaw") - self.body_pos("leftclaw")
        distance: torch.Tensor = between.norm(dim=1)
        return (distance / 0.1).clamp(0.0, 1.0)

    # Writing -----------------------------------------------------------------------------------

    def set_body_pos(self, name: str, mask: torch.Tensor, positions: torch.Tensor) -> None:
        """Move a fixed body of the masked worlds; `positions` has shape (N, 3)."""
        write(self.sim.model_field("body_pos")[:, self.body_id(name)], mask, positions)

    def set_joint(self, name: str, mask: torch.Tensor, value: float) -> None:
        """Set a hinge or slide joint of the masked worlds, without refreshing derived fields."""
        write(self.joint(name), mask, value)

    def stop_joint(self, name: str, mask: torch.Tensor) -> None:
        """Set the velocity of a hinge or slide joint of the masked worlds to zero."""
        joint = self._lookup(self._joint_ids, mujoco.mjtObj.mjOBJ_JOINT, name)
        write(self.sim.field("qvel")[:, int(self.sim.model.jnt_dofadr[joint])], mask, 0.0)

    def set_object_pos(self, mask: torch.Tensor, positions: torch.Tensor) -> None:
        """Put the free object of the masked worlds at rest at `positions`, shape (N, 3)."""
        self._check_object_joint("set_object_pos", _FREE)
        write(self.sim.field("qpos")[:, NUM_ARM_JOINTS : NUM_ARM_JOINTS + 3], mask, positions)
        write(self.sim.field("qvel")[:, NUM_ARM_JOINTS : NUM_ARM_JOINTS + 6], mask, 0.0)
        self.sim.forward(mask)

    def set_object_joint(self, mask: torch.Tensor, value: float) -> None:
        """Put the object's hinge or slide, the first joint after the arm's, at rest at `value`."""
        self._check_object_joint("set_object_joint", _HINGE_OR_SLIDE)
        write(self.sim.field("qpos")[:, NUM_ARM_JOINTS], mask, value)
        write(self.sim.field("qvel")[:, NUM_ARM_JOINTS], mask, 0.0)
        self.sim.forward(mask)

    # Parts -------------------------------------------------------------------------------------

    def _lookup(self, ids: dict[str, int], kind: mujoco.mjtObj, name: str) -> int:
        if name not in ids:
            ids[name] = name_to_id(self.sim.model, kind, name)
        return ids[name]

    def _check_object_joint(self, method: str, kinds: dict[int, str]) -> None:
        """Refuse a scene without a joint of the object's where a method writes one.

        Raises:
            SceneError: Naming the method and what stands there.
        """
        model, start = self.sim.model, NUM_ARM_JOINTS
        found = "no joint begins"
        for joint in (model.jnt_qposadr == start).nonzero()[0]:
            if int(model.jnt_type[joint]) in kinds and model.jnt_dofadr[joint] == start:
                return
            name = model.joint(joint).name
            found = f"the joint {name!r} stands" if name else "a joint without a name stands"
        raise SceneError(
            f"{method} writes a {' or '.join(kinds.values())} joint of the object's, the first "
            f"after the {start} of the arm, but {found} there in the scene; give the object such a "
            "joint, and put its body after the arm's."
        )

    def _zeros(self, *shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=self.sim.dtype, device=self.sim.device)
