"""What the tasks with a button share: a box with one, and how near and how pressed a button is."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch

from lam_envs.tasks.base import Outcome, Task, Vector3, as_float32
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_NEAR_M = 0.05


class Press(NamedTuple):
    """How a button is pressed.

    Attributes:
        distance: From the tool centre point to the button, shape (N,), metres.
        near: Reward for this distance, shape (N,), in [0, 1].
        way: How far the button must still go, shape (N,), metres.
        pressed: Reward for this way, shape (N,), in [0, 1].
    """

    distance: torch.Tensor
    near: torch.Tensor
    way: torch.Tensor
    pressed: torch.Tensor


class ButtonBoxTask(Task):
    """Base of the tasks whose reset vector is the xyz of a box with a button.

    They start with the button's end in `obj_init_pos`, and the target where it is pressed.

    Class attributes:
        end_in_button: From the button's body to its end, in the world frame.
    """

    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    placed_body = "box"
    end_in_button: ClassVar[Vector3]

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.sim.forward(mask)
        write(worlds.start.obj_init_pos, mask, worlds.site_pos("buttonStart"))
        write(worlds.start.target_pos, mask, worlds.site_pos("hole"))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        button = worlds.body_pos("button")
        end = button + constant(self.end_in_button, button)
        return torch.cat((end, worlds.body_quat("button")), 1)


def press(worlds: SawyerWorlds, button: torch.Tensor, *, axis: int, near_m: float) -> Press:
    """Return how a button is pressed.

    Args:
        worlds: The worlds, with the start of their episodes.
        button: Position of the button's end, shape (N, 3), metres.
        axis: Along which the button moves: 1 for y, 2 for z.
        near_m: Distance that counts as near.
    """
    start = worlds.start
    distance = (button - worlds.tcp).norm(dim=1)
    way = (start.target_pos[:, axis] - button[:, axis]).abs()
    near = nearness(distance, near_m, margin=(button - start.init_tcp).norm(dim=1))
    pressed = nearness(
        way, 0.005, margin=(start.target_pos[:, axis] - start.obj_init_pos[:, axis]).abs()
    )
    return Press(distance, near, way, pressed)


def push_outcome(worlds: SawyerWorlds, state: torch.Tensor) -> Outcome:
    """Return reward and success for a button that is pushed along y, within 2 cm of its target."""
    distance, near, way, pressed = press(worlds, state[:, 4:7], axis=1, near_m=_NEAR_M)
    reward = 2 * hamacher_product(state[:, 3].clamp(min=0.0), near)
    reward = torch.where(distance <= _NEAR_M, reward + 8 * pressed, reward)
    return Outcome(reward, way <= 0.02)
