"""plate-slide-side: slide a plate into a net (metaworld 3.0.0, `sawyer_plate_slide_side_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import choose, move
from lam_envs.tasks.plate import PlateTask
from lam_envs.tensors import constant


class PlateSlideSide(PlateTask):
    """Slide the black plate to the left into the net.

    Reset vector: plate xyz (without effect on the plate), goal xyz, which is in the net or in
    front of it: the net does not move. Success: plate within 7 cm of the goal.
    """

    name = "plate-slide-side"
    instruction = "slide the plate sideways into the net"
    model_file = "sawyer_xyz/sawyer_plate_slide_sideway.xml"
    reset_low = (0.0, 0.6, 0.0, -0.3, 0.54, 0.0)
    reset_high = (0.0, 0.6, 0.0, -0.25, 0.66, 0.0)
    goal_low = (-0.3, 0.54, 0.0)
    goal_high = (-0.25, 0.66, 0.0)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, x, z = state[:, :3], state[:, 0], state[:, 2]
        rim = state[:, 4:7] + constant((0.07, 0.0, -0.005), state)
        left = torch.stack((x - 0.1, torch.full_like(x, 0.6), z), 1)
        desired = choose(
            (
                (hand[:, :2] - rim[:, :2]).norm(dim=1) > 0.04,
                rim + constant((0.0, 0.0, 0.1), rim),
            ),
            ((z - rim[:, 2]).abs() > 0.04, rim),
            (x > -0.2, left),
            otherwise=rim + constant((-0.1, 0.0, 0.0), rim),
        )
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
