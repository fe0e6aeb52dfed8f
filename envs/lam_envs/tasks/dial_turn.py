"""dial-turn: turn a dial by half a turn (metaworld 3.0.0, `sawyer_dial_turn_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.base import Outcome, Task, as_float32, at_height, choose, move
from lam_envs.tasks.rewards import hamacher_product, nearness
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import constant, write

_DIAL_RADIUS_M = 0.05
_RADIUS_M = 0.07
_REACH_RADIUS_M = 0.005
_PUSH_IN_MARK = (0.05, 0.02, 0.09)
"""From the dial's red mark to where the gripper pushes."""


class DialTurn(Task):
    """Push the dial's red mark around to the far side.

    Reset vector: dial xyz. Success: mark within 7 cm of a point behind and above the dial's middle.
    """

    name = "dial-turn"
    instruction = "turn the dial"
    model_file = "sawyer_xyz/sawyer_dial.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.1, 0.7, 0.0)
    reset_high = (0.1, 0.8, 0.0)
    goal_low = (-0.1, 0.73, 0.0299)
    goal_high = (0.1, 0.83, 0.0301)
    placed_body = "dial"

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, vectors + constant((0.0, 0.03, 0.03), vectors))
        write(worlds.start.obj_init_pos, mask, vectors)
        write(worlds.start.second_init_pos, mask, _push_pos(_mark(worlds)))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        return torch.cat((_mark(worlds), worlds.body_quat("dial")), 1)

    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        start, mark, push_init = worlds.start, state[:, 4:7], worlds.start.second_init_pos
        mark_to_target = (mark - start.target_pos).norm(dim=1)
        # The margin counts from where the gripper pushes, not from the mark, as in the original.
        in_place = nearness(
            mark_to_target,
            _RADIUS_M,
            margin=((push_init - start.target_pos).norm(dim=1) - _RADIUS_M).abs(),
        )
        reach = nearness(
            (_push_pos(mark) - worlds.tcp).norm(dim=1),
            _REACH_RADIUS_M,
            margin=((push_init - start.init_tcp).norm(dim=1) - _REACH_RADIUS_M).abs(),
            sigmoid="gaussian",
        )
        reach = hamacher_product(reach, actions[:, 3].to(reach.dtype).clamp(0, 1))
        return Outcome(10 * hamacher_product(reach, in_place), mark_to_target <= _RADIUS_M)

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        hand, aim = state[:, :3], _push_pos(state[:, 4:7])
        above = at_height(aim, 0.2)
        is_off = (hand[:, :2] - aim[:, :2]).norm(dim=1) > 0.02
        is_high = (hand[:, 2] - aim[:, 2]).abs() > 0.02
        beyond = aim + constant((-0.05, 0.005, 0.0), aim)
        desired = choose((is_off, above), (is_high, aim), otherwise=beyond)
        return torch.cat((move(hand, desired, 10.0), torch.ones_like(state[:, :1])), 1)


def _mark(worlds: SawyerWorlds) -> torch.Tensor:
    """Return the position of the dial's red mark, shape (N, 3)."""
    angle = worlds.joint("knob_Joint_1")
    direction = torch.stack((angle.sin(), -angle.cos(), torch.zeros_like(angle)), 1)
    return worlds.body_pos("dial") + _DIAL_RADIUS_M * direction


def _push_pos(mark: torch.Tensor) -> torch.Tensor:
    """Return where the gripper pushes the dial whose mark is at `mark`, shape (N, 3)."""
    return mark + constant(_PUSH_IN_MARK, mark)
