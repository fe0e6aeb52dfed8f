"""disassemble: lift a ring off a peg (metaworld 3.0.0, `sawyer_disassemble_peg_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, as_float32, choose, move
from lam_envs.tasks.nut import NutTask
from lam_envs.tasks.rewards import nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_PEG_IN_RING = (0.0, 0.0, 0.03)
_LIFTED = (0.0, 0.0, 0.15)


class Disassemble(NutTask):
    """Grasp the ring by its green handle and lift it off the peg.

    Reset vector: ring xyz, and a goal xyz that only decides which starts are accepted. Success:
    handle more than 15 cm above the ring's start.
    """

    name = "disassemble"
    instruction = "take the ring off the peg"
    hand_init_pos = as_float32(0.0, 0.4, 0.2)
    reset_low = (0.0, 0.6, 0.025, -0.1, 0.6, 0.1699)
    reset_high = (0.1, 0.75, 0.02501, 0.1, 0.75, 0.1701)
    goal_low = (-0.1, 0.6, 0.1699 + 0.005)
    goal_high = (0.1, 0.75, 0.1701 + 0.005)
    settles_with_draw = True  # The peg meets the ring while the hand settles.
    density = "high"

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        worlds.set_body_pos("peg", mask, vectors[:, :3] + constant(_PEG_IN_RING, vectors))

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, vectors[:, :3])
        write(worlds.start.target_pos, mask, vectors[:, :3] + constant(_LIFTED, vectors))
        worlds.set_object_pos(mask, worlds.start.obj_init_pos)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        ring, target = worlds.site_pos("RoundNut"), worlds.start.target_pos
        above = target + constant((0.0, 0.0, 0.1), target)
        placed = nearness((above - ring).norm(dim=1), 0.02, margin=0.2)
        in_place = 0.1 * (ring[:, 2] > 0.02).to(placed.dtype) + 0.9 * placed
        is_success = state[:, 6] > target[:, 2]
        return self.outcome(worlds, state, actions, in_place=in_place, is_success=is_success)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand = state[:, :3]
        grip = state[:, 4:7] + constant((-0.02, 0.0, 0.01), state)
        up = constant((0.0, 0.0, 0.1), state)
        is_off = (hand[:, :2] - grip[:, :2]).norm(dim=1) > 0.02
        height = (hand[:, 2] - grip[:, 2]).abs()
        desired = choose((is_off, grip + up), (height > 0.03, grip), otherwise=hand + up)
        effort = torch.where(is_off | (height > 0.07), 0.0, 0.8).to(state.dtype)
        return torch.cat((move(hand, desired, 10.0), effort[:, None]), 1)
