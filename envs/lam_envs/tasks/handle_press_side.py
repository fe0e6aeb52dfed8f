"""handle-press-side: press a handle down (metaworld 3.0.0, `sawyer_handle_press_side_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, choose, move
from lam_envs.tasks.rewards import hamacher_product, tolerance
from lam_envs.tasks.sawyer import SawyerWorlds

_RADIUS_M = 0.02
_HANDLE_ADDRESS = 9
"""Of the handle's slide joint in positions and velocities: it has no name."""
_HANDLE_START_M = -0.001


class HandlePressSide(Task):
    """Press the red handle at the box's side all the way down.

    Reset vector: box xyz. Success: handle within 2 cm of its pressed height.
    """

    name = "handle-press-side"
    instruction = "press the handle down"
    model_file = "sawyer_xyz/sawyer_handle_press_sideways.xml"
    reset_low = (-0.35, 0.65, -0.001)
    reset_high = (-0.25, 0.75, 0.001)
    settles_with_draw = True

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("box", mask, vectors)

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.sim.field("qpos")[mask, _HANDLE_ADDRESS] = _HANDLE_START_M
        worlds.sim.field("qvel")[mask, _HANDLE_ADDRESS] = 0.0
        worlds.sim.forward(mask)
        worlds.start.obj_init_pos[mask] = worlds.site_pos("handleStart")[mask]
        worlds.start.target_pos[mask] = worlds.site_pos("goalPress")[mask]

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos("handleStart")
        return torch.cat((handle, handle.new_zeros(len(handle), 4)), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, handle = worlds.start, state[:, 4:7]
        height = (handle[:, 2] - start.target_pos[:, 2]).abs()
        height_init = (start.obj_init_pos[:, 2] - start.target_pos[:, 2]).abs()
        pressed = tolerance(
            height,
            lower=0.0,
            upper=_RADIUS_M,
            margin=(height_init - _RADIUS_M).abs(),
            sigmoid="long_tail",
        )
        reach = tolerance(
            (handle - worlds.tcp).norm(dim=1),
            lower=0.0,
            upper=0.02,
            margin=((start.obj_init_pos - start.init_tcp).norm(dim=1) - 0.02).abs(),
            sigmoid="long_tail",
        )
        is_pressed = height <= _RADIUS_M
        reward = torch.where(is_pressed, 1.0, hamacher_product(reach, pressed))
        return Outcome(10 * reward, is_pressed)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, handle = state[:, :3], state[:, 4:7]
        is_off = (hand[:, :2] - handle[:, :2]).norm(dim=1) > 0.02
        above = handle + handle.new_tensor((0.0, 0.0, 0.2))
        below = handle + handle.new_tensor((0.0, 0.0, -0.5))
        displacement = move(hand, choose((is_off, above), otherwise=below), 25.0)
        return torch.cat((displacement, torch.ones_like(state[:, :1])), 1)
