"""pick-out-of-hole: lift the puck out (metaworld 3.0.0, `sawyer_pick_out_of_hole_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.funnel import above_floor, funnel_height
from lam_envs.tasks.grasp import caging, is_lifted
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class PickOutOfHole(PuckTask):
    """Grasp the red puck in the table's hole and hold it at the green marker.

    Reset vector: puck xyz, goal xyz. Success: puck within 7 cm of the goal.
    """

    name = "pick-out-of-hole"
    instruction = "pick the puck out of the hole and hold it at the green marker"
    model_file = "sawyer_xyz/sawyer_pick_out_of_hole.xml"
    hand_low = (-0.5, 0.40, -0.05)
    reset_low = (0.0, 0.75, 0.02, -0.1, 0.5, 0.15)
    reset_high = (0.0, 0.75, 0.02, 0.1, 0.6, 0.3)
    goal_low = (-0.1, 0.5, 0.15)
    goal_high = (0.1, 0.6, 0.3)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return worlds.body_pose("obj")

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp = worlds.start, worlds.tcp
        puck = state[:, 4:7]
        puck_to_target = (puck - start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, puck_to_target, 0.02)
        radius = (tcp[:, :2] - start.obj_init_pos[:, :2]).norm(dim=1)
        floor = funnel_height(radius, throat=0.03, slope=0.015, rim=0.15)
        is_above = above_floor(tcp[:, 2], floor, margin=0.02)
        grasped = caging(
            worlds,
            actions,
            puck,
            obj_radius=0.015,
            pad_success_thresh=0.02,
            xz_thresh=0.03,
            desired_gripper_effort=0.1,
        )
        is_held = is_lifted(worlds, state, reach_m=0.04, rise_m=0.02) & (state[:, 3] >= 0.33)
        reward = hamacher_product(grasped, in_place)
        carried = hamacher_product(in_place, is_above)
        reward = torch.where(is_held, reward + 1.0 + 5.0 * carried, reward)
        reward = torch.where(puck_to_target < 0.05, 10.0, reward)
        return Outcome(reward, puck_to_target <= 0.07)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, goal = state[:, :3], state[:, -3:]
        grip = state[:, 4:7] + constant((0.0, 0.0, 0.02), state)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - grip[:, 2]).abs()
        is_low = (hand[:, 2] - goal[:, 2]).abs() > 0.04
        desired = choose(
            (is_off, grip + constant((0.0, 0.0, 0.15), grip)),
            (height > 0.01, grip),
            (is_low, at_height(hand, goal[:, 2])),
            otherwise=goal,
        )
        effort = torch.where(is_off | (height > 0.15), 0.0, 0.1).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)
