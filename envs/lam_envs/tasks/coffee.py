"""What the tasks with a coffee machine share: its scene, and a mug that the hand moves."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Vector3, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.rotations import matrix_to_quat_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

MODEL_FILE = "sawyer_xyz/sawyer_coffee.xml"
HAND_INIT_POS = (0.0, 0.4, 0.2)
MACHINE = "coffee_machine"

MUG_IN_MACHINE = (0.0, -0.22, 0.0)
"""Where the machine has its mug."""

_RADIUS_M = 0.05
_GRIP_IN_MUG = (0.01, 0.0, 0.05)


class MugTask(PuckTask):
    """Base of the tasks whose reset vector is mug xyz, goal xyz.

    Class attributes:
        aim_in_mug: From the mug to where the scripted expert brings the hand.
        rise_m: How high above its aim the scripted expert approaches.
        effort: How the scripted expert closes the gripper.
    """

    model_file = MODEL_FILE
    hand_init_pos = HAND_INIT_POS
    aim_in_mug: ClassVar[Vector3]
    rise_m: ClassVar[float]
    effort: ClassVar[float]

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        place_mug(worlds, mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = matrix_to_quat_xyzw(worlds.geom_matrix("mug"))
        return torch.cat((worlds.body_pos("obj"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start = worlds.start
        opening, mug = state[:, 3], state[:, 4:7]
        scale = constant((2.0, 2.0, 1.0), mug)
        scaled_distance = ((mug - start.target_pos) * scale).norm(dim=1)
        in_place = nearness(
            scaled_distance,
            _RADIUS_M,
            margin=((start.obj_init_pos - start.target_pos) * scale).norm(dim=1),
        )
        grasped = caging(
            worlds,
            actions,
            mug,
            obj_radius=0.02,
            pad_success_thresh=0.05,
            xz_thresh=0.05,
            object_reach_radius=0.04,
            desired_gripper_effort=0.7,
            density="medium",
        )
        reward = hamacher_product(grasped, in_place)
        is_held = ((mug - worlds.tcp).norm(dim=1) < 0.04) & (opening > 0)
        reward = torch.where(is_held, reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(scaled_distance < _RADIUS_M, 10.0, reward)
        return Outcome(reward, (mug - start.target_pos).norm(dim=1) <= 0.07)

    @abstractmethod
    def hand_goal(self, goal: torch.Tensor) -> torch.Tensor:
        """Return where the scripted expert brings the hand with the mug, shape (N, 3)."""

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, mug = state[:, :3], state[:, 4:7]
        aim, grip = mug + constant(self.aim_in_mug, mug), mug + constant(_GRIP_IN_MUG, mug)
        above = aim + constant((0.0, 0.0, self.rise_m), aim)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.06
        is_high = (hand[:, 2] - aim[:, 2]).abs() > 0.02
        desired = choose((is_off, above), (is_high, aim), otherwise=self.hand_goal(state[:, -3:]))
        is_far = ((hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.06) | (
            (hand[:, 2] - grip[:, 2]).abs() > 0.1
        )
        effort = torch.where(is_far, -1.0, self.effort).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)


def place_machine(worlds: SawyerWorlds, mask: torch.Tensor, mugs: torch.Tensor) -> None:
    """Put the machine of the masked worlds where its mug is at `mugs`, shape (N, 3)."""
    worlds.set_body_pos(MACHINE, mask, mugs - constant(MUG_IN_MACHINE, mugs))


def place_mug(worlds: SawyerWorlds, mask: torch.Tensor, positions: torch.Tensor) -> None:
    """Put the mug of the masked worlds at `positions`, shape (N, 3)."""
    write(worlds.sim.field("qpos")[:, :3], mask, positions)
    # The mug comes before the arm here: it is the arm that is stopped, as in the original.
    write(worlds.sim.field("qvel")[:, 9:15], mask, 0.0)
    worlds.sim.forward(mask)
