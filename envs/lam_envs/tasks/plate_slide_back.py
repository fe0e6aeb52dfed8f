"""plate-slide-back (metaworld 3.0.0, `sawyer_plate_slide_back_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import choose, move
from lam_envs.tasks.plate import PlateTask
from lam_envs.tensors import constant


class PlateSlideBack(PlateTask):
    """Slide the black plate back out of the net to the green marker.

    Reset vector: plate xyz (without effect on the plate), goal xyz. Success: plate within 7 cm of
    the goal.
    """

    name = "plate-slide-back"
    instruction = "slide the plate back out of the net to the green marker"
    model_file = "sawyer_xyz/sawyer_plate_slide.xml"
    reset_low = (0.0, 0.85, 0.0, -0.1, 0.6, 0.015)
    reset_high = (0.0, 0.85, 0.0, 0.1, 0.6, 0.015)
    goal_low = (-0.1, 0.6, 0.015)
    goal_high = (0.1, 0.6, 0.015)
    shows_goal = True
    plate_start_m = (0.0, 0.15)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        x, y, z = hand.unbind(1)
        rim = state[:, 4:7] + constant((0.0, -0.065, 0.025), state)
        front = torch.full_like(x, 0.55)
        desired = choose(
            (
                (hand[:, :2] - rim[:, :2]).norm(dim=1) > 0.01,
                rim + constant((0.0, 0.0, 0.1), rim),
            ),
            ((z - rim[:, 2]).abs() > 0.04, rim),
            (y > 0.7, hand + constant((0.0, -0.1, 0.0), hand)),
            (y > 0.6, torch.stack((torch.full_like(x, 0.15), front, z), 1)),
            otherwise=torch.stack((x - 0.1, front, z), 1),
        )
        return torch.cat((move(hand, desired, 10.0), -torch.ones_like(state[:, :1])), 1)
