"""peg-insert-side: put a peg into a hole (metaworld 3.0.0, `sawyer_peg_insertion_side_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.grasp import caging, is_lifted
from lam_envs.tasks.rewards import hamacher_product, nearness, rect_prism_tolerance
from lam_envs.tasks.rotations import quat_wxyz_to_xyzw
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_HOLE_IN_BOX = (0.03, 0.0, 0.13)
_RADIUS_M = 0.07


class PegInsertSide(Task):
    """Grasp the green peg and put it into the hole in the box's side.

    Reset vector: peg xyz, box xyz. Success: peg's head within 7 cm of the hole; distances along y
    and z count twice.
    """

    name = "peg-insert-side"
    instruction = "insert the peg into the hole in the side of the box"
    model_file = "sawyer_xyz/sawyer_peg_insertion_side.xml"
    reset_low = (0.0, 0.5, 0.02, -0.35, 0.4, -0.001)
    reset_high = (0.2, 0.7, 0.02, -0.25, 0.7, 0.001)
    goal_low = (-0.35 + 0.03, 0.4, -0.001 + 0.13)
    goal_high = (-0.25 + 0.03, 0.7, 0.001 + 0.13)
    min_goal_distance_m = 0.1
    goal_is_seen = True  # It is the hole.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("box", mask, vectors[:, 3:])

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        # The original measures the head before it moves the peg to its start.
        write(worlds.start.second_init_pos, mask, worlds.site_pos("pegHead"))
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        write(worlds.start.target_pos, mask, vectors[:, 3:] + constant(_HOLE_IN_BOX, vectors))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        quat = quat_wxyz_to_xyzw(worlds.body_quat("peg"))
        return torch.cat((worlds.site_pos("pegGrasp"), quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, peg = worlds.start, state[:, 4:7]
        scale = constant((1.0, 2.0, 2.0), peg)
        head_to_hole = ((worlds.site_pos("pegHead") - start.target_pos) * scale).norm(dim=1)
        in_place = nearness(
            head_to_hole,
            _RADIUS_M,
            margin=((start.second_init_pos - start.target_pos) * scale).norm(dim=1),
        )
        in_place = hamacher_product(in_place, _clearance(worlds))
        grasped = caging(
            worlds,
            actions,
            peg,
            obj_radius=0.0075,
            pad_success_thresh=0.03,
            xz_thresh=0.005,
        )
        is_held = is_lifted(worlds, state, reach_m=0.08)
        reward = hamacher_product(torch.where(is_held, 1.0, grasped), in_place)
        reward = torch.where(is_held, reward + 1.0 + 5 * in_place, reward)
        is_success = head_to_hole <= _RADIUS_M
        return Outcome(torch.where(is_success, 10.0, reward), is_success)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, peg = state[:, :3], state[:, 4:7]
        hole = torch.empty_like(peg)
        hole[:, 0], hole[:, 1], hole[:, 2] = -0.35, state[:, -2], 0.16
        above = peg + constant((0.0, 0.0, 0.3), peg)
        before = hole + constant((0.4, 0.0, 0.0), peg)
        is_off = (hand[:, :2] - peg[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - peg[:, 2]).abs() > 0.025
        is_aside = (peg[:, 1:] - hole[:, 1:]).norm(dim=1) > 0.03
        desired = choose((is_off, above), (is_high, peg), (is_aside, before), otherwise=hole)
        is_far = is_off | ((hand[:, 2] - peg[:, 2]).abs() > 0.15)
        effort = torch.where(is_far, -1.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 25.0), effort[:, None]), 1)


def _clearance(worlds: SawyerWorlds) -> torch.Tensor:
    """Return 1 where the peg's head is not in front of the box beside the hole, shape (N,)."""
    head = worlds.site_pos("pegHead")
    below, above = (
        rect_prism_tolerance(
            head,
            zero=worlds.site_pos(f"bottom_right_corner_collision_box_{box}"),
            one=worlds.site_pos(f"top_left_corner_collision_box_{box}"),
        )
        for box in (1, 2)
    )
    return hamacher_product(above, below)
