"""assembly: put a ring over a peg (metaworld 3.0.0, `sawyer_assembly_peg_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.funnel import funnel_height
from lam_envs.tasks.nut import NutTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds

_PEG_IN_GOAL = (0.0, 0.0, -0.05)
_RADIUS_M = 0.02


class Assembly(NutTask):
    """Grasp the ring by its green handle and put it over the peg.

    Reset vector: ring xyz, top of the peg xyz. Success: middle of the ring within 2 cm of the
    peg's axis and below its top.
    """

    name = "assembly"
    instruction = "put the ring over the peg"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (0.0, 0.6, 0.02, -0.1, 0.75, 0.1)
    reset_high = (0.0, 0.6, 0.02, 0.1, 0.85, 0.1)
    goal_low = (-0.1, 0.75, 0.1)
    goal_high = (0.1, 0.85, 0.1)
    goal_is_seen = True  # It is the top of the peg.
    density = "medium"

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("peg", mask, vectors[:, 3:] + vectors.new_tensor(_PEG_IN_GOAL))

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.start.obj_init_pos[mask] = vectors[mask, :3]
        worlds.start.target_pos[mask] = vectors[mask, 3:]
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        ring, top = worlds.site_pos("RoundNut"), worlds.start.target_pos
        radius = (top[:, :2] - ring[:, :2]).norm(dim=1)
        is_on_peg = (radius < _RADIUS_M) & (top[:, 2] - ring[:, 2] > 0.0)
        # The way to the peg leads over a funnel, whose throat is wider once the ring is on it.
        throat = ring.new_tensor((_RADIUS_M / 2, _RADIUS_M))[is_on_peg.long()]
        height = funnel_height(radius, throat=throat, slope=0.02, rim=0.2)
        error = torch.cat((top[:, :2] - ring[:, :2], (height - ring[:, 2])[:, None]), 1)
        scale = error.new_tensor((1.0, 1.0, 3.0))
        placed = nearness((error * scale).norm(dim=1), 0.02, margin=0.4)
        is_lifted = (ring[:, 2] > 0.02) | (radius < throat)
        in_place = 0.1 * is_lifted.to(placed.dtype) + 0.9 * placed
        return self.outcome(worlds, state, actions, in_place=in_place, is_success=is_on_peg)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + state.new_tensor((-0.02, 0.0, 0.0))
        over_peg = state[:, -3:] + state.new_tensor((0.12, 0.0, 0.14))
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose(
            (is_off, grip + grip.new_tensor((0.0, 0.0, 0.1))),
            (
                (hand[:, :2] - over_peg[:, :2]).norm(dim=1) <= 0.02,
                over_peg + grip.new_tensor((0.0, 0.0, -0.2)),
            ),
            (height > 0.05, grip + grip.new_tensor((0.0, 0.0, 0.03))),
            (
                (hand[:, 2] - over_peg[:, 2]).abs() > 0.04,
                at_height(hand, over_peg[:, 2]),
            ),
            otherwise=over_peg,
        )
        effort = torch.where(is_off | (height > 0.12), 0.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
