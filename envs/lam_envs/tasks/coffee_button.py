"""coffee-button: press a machine's button (metaworld 3.0.0, `sawyer_coffee_button_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.button import push_outcome
from lam_envs.tasks.coffee import HAND_INIT_POS, MACHINE, MODEL_FILE, MUG_IN_MACHINE, place_mug
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_BUTTON_IN_MACHINE = (0.0, -0.22, 0.3)
_TRAVEL_M = 0.03


class CoffeeButton(Task):
    """Press the button of the coffee machine all the way in.

    Reset vector: machine xyz. Success: button within 2 cm of its pressed place along y.
    """

    name = "coffee-button"
    instruction = "press the button of the coffee machine"
    model_file = MODEL_FILE
    hand_init_pos = HAND_INIT_POS
    reset_low = (-0.1, 0.8, -0.001)
    reset_high = (0.1, 0.9, 0.001)
    goal_low = (-0.1 - 0.001, 0.8 - 0.22 + 0.03, -0.001 + 0.299)
    goal_high = (0.1 + 0.001, 0.9 - 0.22 + 0.03, 0.001 + 0.301)
    placed_body = MACHINE

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        button = vectors + constant(_BUTTON_IN_MACHINE, vectors)
        write(worlds.start.obj_init_pos, mask, button)
        write(worlds.start.target_pos, mask, button + constant((0.0, _TRAVEL_M, 0.0), button))
        place_mug(worlds, mask, vectors + constant(MUG_IN_MACHINE, vectors))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        button = worlds.site_pos("buttonStart")
        quat = constant((1.0, 0.0, 0.0, 0.0), button).expand(len(button), 4)
        return torch.cat((button, quat), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        return push_outcome(worlds, state)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        aim = state[:, 4:7] + constant((0.0, 0.0, -0.07), state)
        before = torch.stack((aim[:, 0], hand[:, 1], aim[:, 2]), 1)
        is_off = (hand - aim)[:, 0::2].norm(dim=1) > 0.02
        desired = choose((is_off, before), otherwise=aim + constant((0.0, 0.2, 0.0), aim))
        return torch.cat((move(hand, desired, 10.0), -torch.ones_like(state[:, :1])), 1)
