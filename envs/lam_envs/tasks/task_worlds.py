"""The worlds of one task, from reset to reset: mocap control, settling, the 39-D state.

Source: metaworld 3.0.0, `sawyer_xyz_env.py`. The order of operations is the original's, because
its derived fields lag one physics step behind the state at reset.
"""

from __future__ import annotations

import torch

from lam_envs.errors import UnstableSimulationError
from lam_envs.sim.native import NativeSim
from lam_envs.sim.protocol import BatchSim
from lam_envs.tasks.base import Task
from lam_envs.tasks.checks import check_poses
from lam_envs.tasks.sawyer import (
    ACTION_SCALE_M,
    HAND_SPACE_HIGH,
    HAND_SPACE_LOW,
    NUM_SUBSTEPS,
    SawyerWorlds,
)
from lam_envs.tensors import write

SETTLE_STEPS = 50
"""Control steps in which the hand settles before an episode."""

_FRAME_SIZE = 18
_OBJECT_SIZE = 14


class TaskWorlds(SawyerWorlds):
    """Many worlds of one task's scene, which start episodes and step.

    Args:
        sim: Engine with the task's model.
        task: The task.
        settles_each: Whether worlds differ in their physics, so that each must settle by itself.
    """

    def __init__(self, sim: BatchSim, task: Task, *, settles_each: bool = False) -> None:
        super().__init__(sim)
        self.task = task
        self._settles_each = settles_each or task.settles_with_draw
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
        self._previous_frame = self._zeros(sim.num_worlds, _FRAME_SIZE)

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
        self._command(actions)
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

    def _command(self, actions: torch.Tensor) -> None:
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
        alone = TaskWorlds(sim, self.task)
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
        check_poses(self.task.name, poses, self.sim.num_worlds)
        frame[:, 4 : 4 + poses.shape[1]] = poses
        return frame

    def _tensor(self, values: tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(values, dtype=self.sim.dtype, device=self.sim.device)
