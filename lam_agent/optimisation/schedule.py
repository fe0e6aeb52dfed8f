"""The course of the learning rate: a rise, then half a cosine."""

from __future__ import annotations

import math


def rate_share(step: int, *, warmup_steps: int, max_steps: int, final_share: float) -> float:
    """Return the share of the peak learning rate at a gradient step.

    It rises linearly, then falls along a cosine (Loshchilov and Hutter 2017, "SGDR: Stochastic
    Gradient Descent with Warm Restarts", equation 5, without restarts).

    Args:
        step: Gradient steps done.
        warmup_steps: Steps in which it rises; 0 for none.
        max_steps: Steps at which the cosine ends.
        final_share: Share of the peak at which it ends.
    """
    rise = min(1.0, (step + 1) / max(1, warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / max_steps))
    return rise * (final_share + (1.0 - final_share) * cosine)
