"""What window-open and window-close share: a sliding window, pushed along x by its handle."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, choose, move
from lam_envs.tasks.rewards import Sigmoid, hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant

OPENING_M = 0.2
"""How far the window slides."""

_RADIUS_M = 0.05
_HANDLE_RADIUS_M = 0.02


class WindowTask(Task):
    """Base of the tasks whose reset vector is the window's xyz.

    They start with the point from which the reward counts the window's way in `obj_init_pos`, and
    the handle in `second_init_pos`.

    Class attributes:
        handle_site: Site of the model that is the handle.
        reach_sigmoid: How the reward for reaching the handle falls with the distance.
        direction: Along x: 1 pushes to the right, -1 to the left.
        rise_m: How high above its aim the scripted expert approaches.
    """

    model_file = "sawyer_xyz/sawyer_window_horizontal.xml"
    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    placed_body = "window"
    handle_site: ClassVar[str]
    reach_sigmoid: ClassVar[Sigmoid]
    direction: ClassVar[float]
    rise_m: ClassVar[float]

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos(self.handle_site)
        return torch.cat((handle, handle.new_zeros(len(handle), 4)), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, tcp = worlds.start, worlds.tcp
        handle = worlds.site_pos(self.handle_site)
        distance = (handle[:, 0] - start.target_pos[:, 0]).abs()
        distance_init = (start.obj_init_pos[:, 0] - start.target_pos[:, 0]).abs()
        in_place = nearness(distance, _RADIUS_M, margin=(distance_init - _RADIUS_M).abs())
        reach = nearness(
            (handle - tcp).norm(dim=1),
            _HANDLE_RADIUS_M,
            margin=((start.second_init_pos - start.init_tcp).norm(dim=1) - _HANDLE_RADIUS_M).abs(),
            sigmoid=self.reach_sigmoid,
        )
        return Outcome(10 * hamacher_product(reach, in_place), distance <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        handle = state[:, 4:7] + constant((-0.03 * self.direction, -0.03, -0.08), state)
        above = handle + constant((0.0, 0.0, self.rise_m), state)
        beyond = handle + constant((0.1 * self.direction, 0.0, 0.0), state)
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.04
        is_high = (hand[:, 2] - handle[:, 2]).abs() > 0.02
        desired = choose((is_off, above), (is_high, handle), otherwise=beyond)
        return torch.cat((move(hand, desired, 25.0), torch.ones_like(state[:, :1])), 1)
