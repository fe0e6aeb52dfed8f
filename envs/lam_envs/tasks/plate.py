"""What the plate-slide tasks share: a plate that slides on the table, in front of or in a net."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import write

RADIUS_M = 0.05
SUCCESS_RADIUS_M = 0.07


class PlateTask(Task):
    """Base of the tasks whose reset vector is plate xyz, goal xyz.

    The plate's part of the vector does not vary; the reward counts the plate's way from it, which
    need not be where `plate_start_m` puts the plate.

    Class attributes:
        plate_start_m: Where the plate starts along x and y, seen from the model's place of it.
    """

    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    plate_start_m: ClassVar[tuple[float, float]] = (0.0, 0.0)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        x, y = self.plate_start_m
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        worlds.set_joint("goal_slidex", mask, x)
        worlds.set_joint("goal_slidey", mask, y)
        worlds.sim.forward(mask)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("puck"))
        return torch.cat((worlds.geom_pos("puck"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp, plate = worlds.start, worlds.tcp, state[:, 4:7]
        tcp_to_plate = (plate - tcp).norm(dim=1)
        plate_to_target = (plate - start.target_pos).norm(dim=1)
        way = (start.obj_init_pos - start.target_pos).norm(dim=1)
        in_place = nearness(plate_to_target, RADIUS_M, margin=way - RADIUS_M)
        tcp_to_plate_init = (start.obj_init_pos - start.init_tcp).norm(dim=1)
        reach = nearness(tcp_to_plate, RADIUS_M, margin=tcp_to_plate_init - RADIUS_M)
        is_at_plate = (tcp[:, 2] <= 0.03) & (tcp_to_plate < 0.07)
        reward = torch.where(is_at_plate, 2.0 + 7.0 * in_place, 1.5 * reach)
        reward = torch.where(plate_to_target < RADIUS_M, 10.0, reward)
        return Outcome(reward, plate_to_target <= SUCCESS_RADIUS_M)
