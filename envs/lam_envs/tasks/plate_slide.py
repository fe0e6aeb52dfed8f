"""plate-slide: slide a plate into a net (metaworld 3.0.0, `sawyer_plate_slide_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.plate import RADIUS_M, SUCCESS_RADIUS_M, PlateTask
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class PlateSlide(PlateTask):
    """Slide the black plate forwards into the net.

    Reset vector: plate xyz (without effect on the plate), net xyz. Success: plate within 7 cm of
    the net's middle.
    """

    name = "plate-slide"
    instruction = "slide the plate forward into the net"
    model_file = "sawyer_xyz/sawyer_plate_slide.xml"
    reset_low = (0.0, 0.6, 0.0, -0.1, 0.85, 0.0)
    reset_high = (0.0, 0.6, 0.0, 0.1, 0.9, 0.0)
    goal_low = (-0.1, 0.85, 0.0)
    goal_high = (0.1, 0.9, 0.0)
    goal_is_seen = True  # It is the net.

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("puck_goal", mask, vectors[:, 3:])

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, plate = worlds.start, state[:, 4:7]
        plate_to_target = (plate - start.target_pos).norm(dim=1)
        in_place = nearness(
            plate_to_target, RADIUS_M, margin=(start.obj_init_pos - start.target_pos).norm(dim=1)
        )
        reach = nearness(
            (plate - worlds.tcp).norm(dim=1),
            RADIUS_M,
            margin=(start.obj_init_pos - start.init_tcp).norm(dim=1),
        )
        reward = 8 * hamacher_product(reach, in_place)
        reward = torch.where(plate_to_target < RADIUS_M, 10.0, reward)
        return Outcome(reward, plate_to_target <= SUCCESS_RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, net_x = state[:, :3], state[:, -3]
        rim = state[:, 4:7] + constant((0.0, -0.055, 0.03), state)
        is_off = (hand[:, :2] - rim[:, :2]).norm(dim=1) > 0.03
        is_high = (hand[:, 2] - rim[:, 2]).abs() > 0.04
        in_net = torch.stack((net_x, torch.full_like(net_x, 0.9), rim[:, 2]), 1)
        above = rim + constant((0.0, 0.0, 0.1), rim)
        desired = choose((is_off, above), (is_high, rim), otherwise=in_net)
        return torch.cat((move(hand, desired, 10.0), -torch.ones_like(state[:, :1])), 1)
