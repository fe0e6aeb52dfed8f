"""The scripted teacher: each task's hand-written one, which sees positions."""

from __future__ import annotations

import torch

from lam_envs.batched import BatchedEnv


def scripted_teacher(env: BatchedEnv) -> torch.Tensor:
    """Return the task's scripted actions, shape (num_envs, 4), float32, in [-1, 1]."""
    return env.teacher_actions()
