"""push: push the puck to a goal on the table (metaworld 3.0.0, `sawyer_push_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, at_height, choose, move
from lam_envs.tasks.grasp import caging
from lam_envs.tasks.puck import PuckTask
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_RADIUS_M = 0.05


class Push(PuckTask):
    """Push the red puck to the green marker.

    Reset vector: puck xyz, goal xyz (both heights are replaced by the settled puck's).
    Success: puck within 5 cm of the goal.
    """

    name = "push"
    instruction = "push the puck to the green marker"
    model_file = "sawyer_xyz/sawyer_push_v3.xml"
    reset_low = (-0.1, 0.6, 0.02, -0.1, 0.8, 0.01)
    reset_high = (0.1, 0.7, 0.02, 0.1, 0.9, 0.02)
    goal_low = (-0.1, 0.8, 0.01)
    goal_high = (0.1, 0.9, 0.02)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        height = worlds.body_pos("obj")[:, 2]
        write(worlds.start.target_pos, mask, at_height(vectors[:, 3:], height))
        write(worlds.start.obj_init_pos, mask, at_height(vectors[:, :3], height))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp = worlds.start, worlds.tcp
        opening, puck = state[:, 3], state[:, 4:7]
        tcp_to_puck = (puck - tcp).norm(dim=1)
        puck_to_target = (puck - start.target_pos).norm(dim=1)
        in_place = self.closeness(worlds, puck_to_target, _RADIUS_M)
        grasped = caging(
            worlds,
            actions,
            puck,
            obj_radius=0.015,
            pad_success_thresh=0.05,
            xz_thresh=0.005,
        )
        reward = 2 * grasped
        holding = (tcp_to_puck < 0.02) & (opening > 0)
        reward = torch.where(holding, 2 * reward + 1.0 + 5.0 * in_place, reward)
        reward = torch.where(puck_to_target < _RADIUS_M, 10.0, reward)
        return Outcome(reward, puck_to_target <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, puck, goal = state[:, :3], state[:, 4:7], state[:, -3:]
        above, grip = puck.clone(), puck.clone()
        above += constant((-0.005, 0.0, 0.2), puck)
        grip += constant((-0.005, 0.0, 0.03), puck)
        aim = puck + constant((-0.005, 0.0, 0.0), puck)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.02
        is_high = (hand[:, 2] - aim[:, 2]).abs() > 0.04
        desired = choose((is_off, above), (is_high, grip), otherwise=goal)
        is_far = ((hand[:, :2] - puck[:, :2]).norm(dim=1) > 0.02) | (
            (hand[:, 2] - puck[:, 2]).abs() > 0.10
        )
        effort = torch.where(is_far, 0.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
