"""Names of tensors, axes and callables that every floor uses.

Axes: B batch, C cameras, E episodes, F frames (looks), H height, W width, L chunk length,
N worlds, S control steps, T tokens, D width of a token, A = 4 action entries.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from lam_envs.batched import BatchedEnv

ACTION_NAMES = ("hand_dx", "hand_dy", "hand_dz", "gripper_effort")
"""Entries of an action, in order; each lies in [-1, 1]."""

PROPRIOCEPTION_NAMES = ("hand_x", "hand_y", "hand_z", "gripper_opening")
"""Entries of the proprioception, in order; metres and a share in [0, 1]."""

TRACKED_NAMES = ("object_x", "object_y", "object_z", "goal_x", "goal_y", "goal_z")
"""Entries of the tracked positions that the auxiliary head regresses, metres."""

Teacher = Callable[[BatchedEnv], torch.Tensor]
"""Returns clean actions for every world, shape (N, 4), float32, in [-1, 1]."""

Progress = Callable[[float, str], None]
"""Called with the share that is done, in [0, 1], and a few words."""


def no_progress(share: float, words: str) -> None:
    """Ignore progress."""
