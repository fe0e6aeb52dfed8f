"""button-press: press a button on a box's front (metaworld 3.0.0, `sawyer_button_press_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.button import ButtonBoxTask, push_outcome
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class ButtonPress(ButtonBoxTask):
    """Press the button on the box's front all the way in.

    Reset vector: box xyz. Success: button within 2 cm of its pressed place along y.
    """

    name = "button-press"
    instruction = "press the button"
    model_file = "sawyer_xyz/sawyer_button_press.xml"
    reset_low = (-0.1, 0.85, 0.115)
    reset_high = (0.1, 0.9, 0.115)
    end_in_button = (0.0, -0.193, 0.0)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.set_object_joint(mask, 0.0)
        super().place_objects(worlds, mask, vectors)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        return push_outcome(worlds, state)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        aim = state[:, 4:7] + constant((0.0, 0.0, -0.07), state)
        back = torch.stack((aim[:, 0], hand[:, 1] - 0.1, aim[:, 2]), 1)
        offset = (hand - aim)[:, 0::2].abs()
        # 2 cm as NumPy's `isclose` counts them, as in the original.
        is_off = (offset > 0.02 + 1e-5 * aim[:, 0::2].abs()).any(1)
        desired = choose((is_off, back), otherwise=aim + constant((0.0, 0.02, 0.0), aim))
        return torch.cat((move(hand, desired, 25.0), torch.zeros_like(state[:, :1])), 1)
