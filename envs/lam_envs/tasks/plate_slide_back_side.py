"""plate-slide-back-side (metaworld 3.0.0, `sawyer_plate_slide_back_side_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import choose, move
from lam_envs.tasks.plate import PlateTask
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class PlateSlideBackSide(PlateTask):
    """Slide the black plate to the right out of the net to the green marker.

    Reset vector: net xyz (without effect on the plate), goal xyz. Success: plate within 7 cm of
    the goal.
    """

    name = "plate-slide-back-side"
    instruction = "slide the plate sideways out of the net to the green marker"
    model_file = "sawyer_xyz/sawyer_plate_slide_sideway.xml"
    reset_low = (-0.25, 0.6, 0.0, -0.05, 0.6, 0.015)
    reset_high = (-0.25, 0.6, 0.0, 0.15, 0.6, 0.015)
    goal_low = (-0.05, 0.6, 0.015)
    goal_high = (0.15, 0.6, 0.015)
    shows_goal = True
    plate_start_m = (-0.15, 0.0)

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("puck_goal", mask, vectors[:, :3])

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, x, z = state[:, :3], state[:, 0], state[:, 2]
        rim = state[:, 4:7] + constant((0.023, 0.0, 0.025), state)
        is_off = (hand[:, :2] - rim[:, :2]).norm(dim=1) > 0.01
        is_high = (z - rim[:, 2]).abs() > 0.04
        above = rim + constant((0.0, 0.0, 0.07), rim)
        right = torch.stack((x + 0.1, torch.full_like(x, 0.6), z), 1)
        desired = choose((is_off, above), (is_high, rim), otherwise=right)
        return torch.cat((move(hand, desired, 10.0), torch.ones_like(state[:, :1])), 1)
