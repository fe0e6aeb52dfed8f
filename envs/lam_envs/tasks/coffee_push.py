"""coffee-push: push a mug under a machine (metaworld 3.0.0, `sawyer_coffee_push_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import at_height
from lam_envs.tasks.coffee import MugTask, place_machine
from lam_envs.tasks.sawyer import SawyerWorlds


class CoffeePush(MugTask):
    """Push the mug to its place at the coffee machine.

    Reset vector: mug xyz, goal xyz before the machine. Success: mug within 7 cm of the goal.
    """

    name = "coffee-push"
    instruction = "push the mug to the coffee machine"
    reset_low = (-0.1, 0.55, -0.001, -0.05, 0.7, -0.001)
    reset_high = (0.1, 0.65, 0.001, 0.05, 0.75, 0.001)
    goal_low = (-0.05, 0.7, -0.001)
    goal_high = (0.05, 0.75, 0.001)
    shows_goal = False
    goal_is_seen = True  # It is the mug's place before the machine.
    aim_in_mug = (0.01, 0.0, 0.05)
    rise_m = 0.2
    effort = 0.5

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        place_machine(worlds, mask, vectors[:, 3:])

    def hand_goal(self, goal: torch.Tensor) -> torch.Tensor:
        return at_height(goal, 0.1)
