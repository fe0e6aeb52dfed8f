"""button-press-topdown (metaworld 3.0.0, `sawyer_button_press_topdown_v3.py`)."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Vector3, choose, move
from lam_envs.tasks.button import ButtonBoxTask, press
from lam_envs.tasks.rewards import hamacher_product
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant


class ButtonPressTopdown(ButtonBoxTask):
    """Press the button on top of the box all the way down.

    Reset vector: box xyz. Success: button within 2.4 cm of its pressed height.

    Class attributes:
        aim_in_button: From the button to where the scripted expert brings the hand.
        effort: How the scripted expert closes (1) or opens (-1) the gripper.
    """

    name = "button-press-topdown"
    instruction = "press the button from above"
    model_file = "sawyer_xyz/sawyer_button_press_topdown.xml"
    reset_low = (-0.1, 0.8, 0.115)
    reset_high = (0.1, 0.9, 0.115)
    end_in_button = (0.0, 0.0, 0.193)
    aim_in_button: ClassVar[Vector3] = (0.0, 0.0, 0.0)
    effort: ClassVar[float] = 1.0

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        distance, near, way, pressed = press(worlds, state[:, 4:7], axis=2, near_m=0.01)
        reward = 5 * hamacher_product(1 - state[:, 3], near)
        reward = torch.where(distance <= 0.03, reward + 5 * pressed, reward)
        return Outcome(reward, way <= 0.024)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        aim = state[:, 4:7] + constant(self.aim_in_button, state)
        above = aim + constant((0.0, 0.0, 0.1), aim)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.04
        desired = choose((is_off, above), otherwise=aim)
        effort = torch.full_like(state[:, :1], self.effort)
        return torch.cat((move(hand, desired, 25.0), effort), 1)
