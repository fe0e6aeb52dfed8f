"""assembly: put a ring over a peg (metaworld 3.0.0, `sawyer_assembly_peg_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, at_height, choose, move
from lam_envs.tasks.funnel import funnel_height
from lam_envs.tasks.nut import NutTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

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
        worlds.set_body_pos("peg", mask, vectors[:, 3:] + constant(_PEG_IN_GOAL, vectors))

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        write(worlds.start.target_pos, mask, vectors[:, 3:])
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        ring, top = worlds.site_pos("RoundNut"), worlds.start.target_pos
        radius = (top[:, :2] - ring[:, :2]).norm(dim=1)
        is_on_peg = (radius < _RADIUS_M) & (top[:, 2] - ring[:, 2] > 0.0)
        # The way to the peg leads over a funnel, whose throat is wider once the ring is on it.
        throat = constant((_RADIUS_M / 2, _RADIUS_M), ring)[is_on_peg.long()]
        height = funnel_height(radius, throat=throat, slope=0.02, rim=0.2)
        error = torch.cat((top[:, :2] - ring[:, :2], (height - ring[:, 2])[:, None]), 1)
        scale = constant((1.0, 1.0, 3.0), error)
        placed = nearness((error * scale).norm(dim=1), 0.02, margin=0.4)
        is_lifted = (ring[:, 2] > 0.02) | (radius < throat)
        in_place = 0.1 * is_lifted.to(placed.dtype) + 0.9 * placed
        return self.outcome(worlds, state, actions, in_place=in_place, is_success=is_on_peg)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant((-0.02, 0.0, 0.0), state)
        over_peg = state[:, -3:] + constant((0.12, 0.0, 0.14), state)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose(
            (is_off, grip + constant((0.0, 0.0, 0.1), grip)),
            (
                (hand[:, :2] - over_peg[:, :2]).norm(dim=1) <= 0.02,
                over_peg + constant((0.0, 0.0, -0.2), grip),
            ),
            (height > 0.05, grip + constant((0.0, 0.0, 0.03), grip)),
            (
                (hand[:, 2] - over_peg[:, 2]).abs() > 0.04,
                at_height(hand, over_peg[:, 2]),
            ),
            otherwise=over_peg,
        )
        effort = torch.where(is_off | (height > 0.12), 0.0, 0.6).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
