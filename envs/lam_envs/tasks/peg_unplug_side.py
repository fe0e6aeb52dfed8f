"""peg-unplug-side: pull a plug out (metaworld 3.0.0, `sawyer_peg_unplug_side_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, at_height, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_PLUG_IN_BOX = (0.044, 0.0, 0.131)
_PULL = (0.15, 0.0, 0.0)


class PegUnplugSide(Task):
    """Pull the plug sideways out of its box by 15 cm.

    Reset vector: box xyz. Success: plug's end within 7 cm of its place when pulled out.
    """

    name = "peg-unplug-side"
    instruction = "unplug the peg sideways"
    model_file = "sawyer_xyz/sawyer_peg_unplug_side.xml"
    reset_low = (-0.25, 0.6, -0.001)
    reset_high = (-0.15, 0.8, 0.001)
    goal_low = (-0.25 + 0.194, 0.6, -0.001 + 0.131)
    goal_high = (-0.15 + 0.194, 0.8, 0.001 + 0.131)
    settles_with_draw = True
    placed_body = "box"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        plug = vectors + constant(_PLUG_IN_BOX, vectors)
        write(worlds.start.target_pos, mask, plug + constant(_PULL, plug))
        # The plug has met the box while the hand settled: the original keeps its angular velocity.
        write(worlds.sim.field("qpos")[:, 9:12], mask, plug)
        write(worlds.sim.field("qpos")[:, 12:16], mask, constant((1.0, 0.0, 0.0, 0.0), plug))
        write(worlds.sim.field("qvel")[:, 9:12], mask, 0.0)
        worlds.sim.forward(mask)
        write(worlds.start.obj_init_pos, mask, worlds.site_pos("pegEnd"))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((worlds.site_pos("pegEnd"), worlds.body_quat("plug1")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp = worlds.start, worlds.tcp
        opening, plug = state[:, 3], state[:, 4:7]
        plug_to_target = (plug - start.target_pos).norm(dim=1)
        in_place = nearness(
            plug_to_target, 0.05, margin=(start.obj_init_pos - start.target_pos).norm(dim=1)
        )
        grasped = caging(
            worlds,
            actions,
            plug,
            obj_radius=0.025,
            pad_success_thresh=0.05,
            xz_thresh=0.005,
            desired_gripper_effort=0.8,
        )
        is_pulled = (opening > 0.5) & (plug[:, 0] - start.obj_init_pos[:, 0] > 0.015)
        is_held = is_pulled & ((plug - tcp).norm(dim=1) < 0.035)
        reward = torch.where(is_held, 1 + 2 * grasped + 5 * in_place, 2 * grasped)
        reward = torch.where(plug_to_target <= 0.05, 10.0, reward)
        return Outcome(reward, plug_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        plug = state[:, 4:7] + constant((-0.02, 0.0, 0.035), state)
        above = plug + constant((0.0, 0.0, 0.2), plug)
        grip = at_height(plug, 0.15)
        aside = hand + constant((0.01, 0.0, 0.0), hand)
        is_off = (hand[:, :2] - plug[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - 0.15).abs() > 0.02
        desired = choose((is_off, above), (is_high, grip), otherwise=aside)
        is_far = is_off | ((hand[:, 2] - plug[:, 2]).abs() > 0.15)
        effort = torch.where(is_far, -1.0, 0.1).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
