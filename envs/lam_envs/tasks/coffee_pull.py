"""coffee-pull: pull a mug from a machine (metaworld 3.0.0, `sawyer_coffee_pull_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.coffee import MugTask, place_machine
from lam_envs.tasks.sawyer import SawyerWorlds


class CoffeePull(MugTask):
    """Pull the mug from the coffee machine to the green marker.

    Reset vector: mug xyz, goal xyz. Success: mug within 7 cm of the goal.
    """

    name = "coffee-pull"
    instruction = "pull the mug from the coffee machine to the green marker"
    reset_low = (-0.05, 0.7, -0.001, -0.1, 0.55, -0.001)
    reset_high = (0.05, 0.75, 0.001, 0.1, 0.65, 0.001)
    goal_low = (-0.1, 0.55, -0.001)
    goal_high = (0.1, 0.65, 0.001)
    aim_in_mug = (-0.005, 0.0, 0.05)
    rise_m = 0.15
    effort = 0.7

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        place_machine(worlds, mask, vectors[:, :3])

    def hand_goal(self, goal: torch.Tensor) -> torch.Tensor:
        return goal
