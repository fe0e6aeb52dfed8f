"""button-press-wall (metaworld 3.0.0, `sawyer_button_press_wall_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, choose, move
from lam_envs.tasks.button import press
from lam_envs.tasks.button_press import ButtonPress
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class ButtonPressWall(ButtonPress):
    """Reach over the wall and press the button on the box's front all the way in.

    Reset vector: box xyz. Success: button within 3 cm of its pressed place along y.
    """

    name = "button-press-wall"
    instruction = "press the button behind the wall"
    model_file = "sawyer_xyz/sawyer_button_press_wall.xml"
    reset_low = (-0.05, 0.85, 0.1149)
    reset_high = (0.05, 0.9, 0.1151)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        opening = state[:, 3]
        distance, near, way, pressed = press(worlds, state[:, 4:7], axis=1, near_m=0.01)
        reaching = 2 * hamacher_product((1 - opening) / 2.0, near)
        pressing = 2 + 2 * (1 + opening) + 4 * pressed**2
        return Outcome(torch.where(distance > 0.07, reaching, pressing), way <= 0.03)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        aim = state[:, 4:7] + constant((0.0, 0.0, 0.04), state)
        height = torch.full_like(aim[:, 0], 0.3)
        is_aside = (hand[:, 0] - aim[:, 0]).abs() > 0.02
        is_before = aim[:, 1] - hand[:, 1] > 0.09
        is_high = (hand[:, 2] - aim[:, 2]).abs() > 0.02
        desired = choose(
            (is_aside, torch.stack((aim[:, 0], hand[:, 1], height), 1)),
            (is_before, torch.stack((aim[:, 0], aim[:, 1], height), 1)),
            (is_high, aim + constant((0.0, -0.05, 0.0), aim)),
            otherwise=aim + constant((0.0, -0.02, 0.0), aim),
        )
        effort = torch.where(is_aside | is_before | is_high, 1.0, -1.0).to(state.dtype)
        return torch.cat((move(hand, desired, 15.0), effort[:, None]), 1)
