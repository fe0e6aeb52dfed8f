"""button-press-topdown (metaworld 3.0.0, `sawyer_button_press_topdown_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, choose, move
from lam_envs.tasks.rewards import hamacher_product, tolerance
from lam_envs.tasks.sawyer import SawyerWorlds


class ButtonPressTopdown(Task):
    """Press the button on top of the box all the way down.

    Reset vector: box xyz. Success: button within 2.4 cm of its pressed height.
    """

    name = "button-press-topdown"
    instruction = "press the button from above"
    model_file = "sawyer_xyz/sawyer_button_press_topdown.xml"
    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    reset_low = (-0.1, 0.8, 0.115)
    reset_high = (0.1, 0.9, 0.115)

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("box", mask, vectors)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.sim.forward(mask)
        worlds.start.obj_init_pos[mask] = worlds.site_pos("buttonStart")[mask]
        worlds.start.target_pos[mask] = worlds.site_pos("hole")[mask]

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        button = worlds.body_pos("button")
        top = button + button.new_tensor((0.0, 0.0, 0.193))
        return torch.cat((top, worlds.body_quat("button")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, button = worlds.start, state[:, 4:7]
        tcp_to_button = (button - worlds.tcp).norm(dim=1)
        height = (start.target_pos[:, 2] - button[:, 2]).abs()
        reach = tolerance(
            tcp_to_button,
            lower=0.0,
            upper=0.01,
            margin=(button - start.init_tcp).norm(dim=1),
            sigmoid="long_tail",
        )
        pressed = tolerance(
            height,
            lower=0.0,
            upper=0.005,
            margin=(start.target_pos[:, 2] - start.obj_init_pos[:, 2]).abs(),
            sigmoid="long_tail",
        )
        reward = 5 * hamacher_product(1 - state[:, 3], reach)
        reward = torch.where(tcp_to_button <= 0.03, reward + 5 * pressed, reward)
        return Outcome(reward, height <= 0.024)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, button = state[:, :3], state[:, 4:7]
        above = button + state.new_tensor((0.0, 0.0, 0.1))
        is_off = (hand[:, :2] - button[:, :2]).norm(dim=1) > 0.04
        desired = choose((is_off, above), otherwise=button)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
