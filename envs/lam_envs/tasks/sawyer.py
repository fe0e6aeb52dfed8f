"""The Sawyer arm's worlds: named views of a BatchSim, mocap control, reset and 39-D state.

Source: metaworld 3.0.0, `sawyer_xyz_env.py`. The order of operations is the original's, because
its derived fields lag one physics step behind the state at reset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mujoco
import torch

from lam_envs.errors import UnstableSimulationError
from lam_envs.scene import name_to_id
from lam_envs.sim.native import NativeSim
from lam_envs.sim.protocol import BatchSim
from lam_envs.tensors import write

if TYPE_CHECKING:
    from lam_envs.tasks.base import Task

ACTION_SIZE = 4
"""Entries of an action: hand displacement xyz and finger effort."""

NUM_SUBSTEPS = 5
"""Physics steps in one control step (frame skip)."""

ACTION_SCALE_M = 0.01
"""Hand displacement of an action of 1, metres."""

SETTLE_STEPS = 50
"""Control steps in which the hand settles before an episode."""

HAND_SPACE_LOW = (-0.525, 0.348, -0.0525)
HAND_SPACE_HIGH = (0.525, 1.025, 0.7)

STATE_SIZE = 39
_FRAME_SIZE = 18
_OBJECT_SIZE = 14


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
    """Many worlds of one task's scene.

    Args:
        sim: Engine with the task's model.
        task: The task.
        settles_each: Whether worlds differ in their physics, so that each must settle by itself.
    """

    def __init__(self, sim: BatchSim, task: Task, *, settles_each: bool = False) -> None:
        self.sim = sim
        self.task = task
        self._settles_each = settles_each or task.settles_with_draw
        self._body_ids: dict[str, int] = {}
        self._site_ids: dict[str, int] = {}
        self._geom_ids: dict[str, int] = {}
        self._joint_ids: dict[str, int] = {}
        self._sensor_ids: dict[str, int] = {}
        mocap_body = self.body_id("mocap")
        self._mocap_id = int(sim.model.body_mocapid[mocap_body])
        self._mocap_low = self._tensor(task.hand_low)
        self._mocap_high = self._tensor(task.hand_high)
        self._hand_init_pos = self._tensor(task.hand_init_pos)
        self._mocap_quat = self._tensor((1.0, 0.0, 1.0, 0.0))
        self._settled_state: torch.Tensor | None = None
        no_bound = (torch.inf,) * _OBJECT_SIZE
        frame_low = (*HAND_SPACE_LOW, -1.0, *(-bound for bound in no_bound))
        frame_high = (*HAND_SPACE_HIGH, 1.0, *no_bound)
        self._state_low = self._tensor((*frame_low, *frame_low, *task.goal_low))
        self._state_high = self._tensor((*frame_high, *frame_high, *task.goal_high))
        num = sim.num_worlds
        self.start = EpisodeStart(*(self._zeros(num, 3) for _ in range(4)))
        self._previous_frame = self._zeros(num, _FRAME_SIZE)

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
        write(self.sim.field("qpos")[:, 9:12], mask, positions)
        write(self.sim.field("qvel")[:, 9:15], mask, 0.0)
        self.sim.forward(mask)

    def set_object_joint(self, mask: torch.Tensor, value: float) -> None:
        """Put the object's hinge or slide, the first joint after the arm's, at rest at `value`."""
        write(self.sim.field("qpos")[:, 9], mask, value)
        write(self.sim.field("qvel")[:, 9], mask, 0.0)
        self.sim.forward(mask)

    def command(self, actions: torch.Tensor) -> None:
        """Write actions as mocap displacement and finger control.

        Args:
            actions: Shape (N, 4), float32. The displacement is scaled in float32, as the original.
        """
        mocap_pos = self.sim.field("mocap_pos")[:, self._mocap_id]
        displacement = actions[:, :3].clamp(-1, 1) * ACTION_SCALE_M
        target = mocap_pos + displacement.to(mocap_pos.dtype)
        mocap_pos.copy_(target.clamp(self._mocap_low, self._mocap_high))
        self.sim.field("mocap_quat")[:, self._mocap_id] = self._mocap_quat
        ctrl = self.sim.field("ctrl")
        ctrl[:, 0] = actions[:, 3]
        ctrl[:, 1] = -actions[:, 3]

    # Episodes ----------------------------------------------------------------------------------

    def reset(self, mask: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Start new episodes in the masked worlds.

        Args:
            mask: Worlds that reset, shape (N,), bool.
            vectors: Reset vectors of all worlds, shape (N, k).

        Returns:
            State of all worlds, shape (N, 39); unclipped at reset, as the original's.
        """
        self.task.place_bodies(self, mask, vectors)
        self._settle(mask)
        write(self.start.init_tcp, mask, self.tcp)
        self.task.place_objects(self, mask, vectors)
        frame = self._frame()
        write(self._previous_frame, mask, frame)
        state = torch.cat((frame, self._previous_frame, self.start.target_pos), 1)
        # The original leaves derived fields stale here; cameras must see where things are.
        self.sim.forward(mask)
        return state

    def step(self, actions: torch.Tensor) -> torch.Tensor:
        """Advance all worlds by one control step and return the clipped state, (N, 39)."""
        self.command(actions)
        self.sim.step(num_substeps=NUM_SUBSTEPS, refresh=True)
        frame = self._frame()
        state = torch.cat((frame, self._previous_frame, self.start.target_pos), 1)
        self._previous_frame = frame
        return state.clamp(self._state_low, self._state_high)

    def park(self, mask: torch.Tensor) -> torch.Tensor:
        """Put the masked worlds, whose physics broke, where all numbers are finite again.

        Returns:
            State of all worlds, shape (N, 39); that of the masked ones means nothing.
        """
        self.sim.reset(mask)
        self.sim.forward(mask)
        frame = self._frame()
        write(self._previous_frame, mask, frame)
        return torch.cat((frame, self._previous_frame, self.start.target_pos), 1)

    # Parts -------------------------------------------------------------------------------------

    def _settle(self, mask: torch.Tensor) -> None:
        """Bring the hand to its start, fingers open, leaving derived fields one step behind."""
        if self._settles_each:
            self.sim.reset(mask)
            self._hold_still(mask, SETTLE_STEPS * NUM_SUBSTEPS)
            return
        if self._settled_state is None:
            self._settled_state = self.sim.state_of(self._settle_alone())
        self.sim.set_state(mask, self._settled_state)
        self.sim.step(mask, num_substeps=1, refresh=False)

    def _settle_alone(self) -> NativeSim:
        """Settle one world, all but the last physics step, and return its engine.

        It is the native one for every engine: rounding would turn the arm, which has a joint more
        than it needs, in its place.
        """
        sim = NativeSim(self.sim.model, 1, 1)
        alone = SawyerWorlds(sim, self.task)
        world = torch.ones(1, dtype=torch.bool)
        sim.reset(world)
        alone._hold_still(world, SETTLE_STEPS * NUM_SUBSTEPS - 1)
        for reason in sim.take_unstable().values():
            raise UnstableSimulationError(
                f"the hand of {self.task.name} does not come to rest at its start ({reason}); "
                f"change hand_init_pos or the scene {self.task.model_file}."
            )
        return sim

    def _hold_still(self, mask: torch.Tensor, num_substeps: int) -> None:
        """Hold the hand at its start with open fingers for a number of physics steps."""
        write(self.sim.field("mocap_pos")[:, self._mocap_id], mask, self._hand_init_pos)
        write(self.sim.field("mocap_quat")[:, self._mocap_id], mask, self._mocap_quat)
        for finger, effort in enumerate((-1.0, 1.0)):
            write(self.sim.field("ctrl")[:, finger], mask, effort)
        self.sim.step(mask, num_substeps=num_substeps, refresh=False)

    def _frame(self) -> torch.Tensor:
        """Return hand, gripper opening and padded object poses, shape (N, 18)."""
        frame = self._zeros(self.sim.num_worlds, _FRAME_SIZE)
        frame[:, :3] = self.hand_pos
        frame[:, 3] = self.gripper_opening
        poses = self.task.object_poses(self)
        frame[:, 4 : 4 + poses.shape[1]] = poses
        return frame

    def _lookup(self, ids: dict[str, int], kind: mujoco.mjtObj, name: str) -> int:
        if name not in ids:
            ids[name] = name_to_id(self.sim.model, kind, name)
        return ids[name]

    def _tensor(self, values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values, dtype=self.sim.dtype, device=self.sim.device)

    def _zeros(self, *shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=self.sim.dtype, device=self.sim.device)
