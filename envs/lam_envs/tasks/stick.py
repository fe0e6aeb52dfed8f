"""What stick-pull and stick-push share: a stick, and a thermos that it moves to a goal."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Task, Vector3, choose, move
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

STICK_HEIGHT_M = 0.02


class StickTask(Task):
    """Base of the tasks whose reset vector is stick xyz, goal xyz.

    Class attributes:
        thermos_y_m: How far from its body's place the thermos starts, along y.
        handle_shift_y_m: What the state adds to the thermos's handle, along y.
        grip_in_stick: Where the scripted expert grips, seen from the stick.
        aim_in_handle: Where it brings the grip, seen from the thermos's handle.
        end_in_goal: Where it goes from there, seen from the goal.
        gain: How fast it goes.
    """

    shows_goal = True
    thermos_y_m: ClassVar[float]
    handle_shift_y_m: ClassVar[float]
    grip_in_stick: ClassVar[Vector3]
    aim_in_handle: ClassVar[Vector3]
    end_in_goal: ClassVar[Vector3]
    gain: ClassVar[float]

    def place_stick_and_thermos(
        self, worlds: SawyerWorlds, mask: torch.Tensor, stick: torch.Tensor
    ) -> None:
        """Put the stick of the masked worlds at `stick`, shape (N, 3), and the thermos upright."""
        worlds.set_joint("obj_slidex", mask, 0.0)
        worlds.set_joint("obj_slidey", mask, self.thermos_y_m)
        # The original stops this joint only: settling has pushed the thermos, and it glides along
        # x at 0.6 m/s until the end of its range.
        worlds.stop_joint("obj_slidey", mask)
        worlds.set_object_pos(mask, stick)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("objGeom"))
        handle = worlds.site_pos("insertion")
        handle = handle + constant((0.0, self.handle_shift_y_m, 0.0), handle)
        zeros = handle.new_zeros(len(handle), 4)
        return torch.cat((worlds.body_pos("stick"), quat, handle, zeros), 1)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant(self.grip_in_stick, state)
        aim = state[:, 11:14] + constant(self.aim_in_handle, state)
        goal = state[:, -3:] + constant(self.end_in_goal, state)
        to_aim = (grip - aim).abs()
        offset = (hand[:, :2] - grip[:, :2]).norm(dim=1)
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose(
            (to_aim[:, 0] <= 0.04, goal),
            (offset > 0.02, grip + constant((0.0, 0.0, 0.1), grip)),
            (height > 0.02, grip),
            (to_aim[:, 1] > 0.02, torch.stack((grip[:, 0], aim[:, 1], grip[:, 2]), 1)),
            (to_aim[:, 2] > 0.02, torch.cat((grip[:, :1], aim[:, 1:]), 1)),
            otherwise=aim,
        )
        effort = torch.where((offset > 0.02) | (height > 0.1), -1.0, 0.7).to(state.dtype)
        return torch.cat((move(hand, desired, self.gain), effort[:, None]), 1)
