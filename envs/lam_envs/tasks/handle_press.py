"""handle-press: press a handle down (metaworld 3.0.0, `sawyer_handle_press_v3.py`)."""

from __future__ import annotations

from lam_envs.tasks.handle_press_side import HandlePressSide


class HandlePress(HandlePressSide):
    """Press the red handle at the box's front all the way down.

    Reset vector: box xyz. Success: handle within 2 cm of its pressed height.
    """

    name = "handle-press"
    instruction = "press the handle at the front down"
    model_file = "sawyer_xyz/sawyer_handle_press.xml"
    reset_low = (-0.1, 0.8, -0.001)
    reset_high = (0.1, 0.9, 0.001)
    goal_low = (-0.1, 0.55, 0.04)
    goal_high = (0.1, 0.70, 0.08)
    expert_aim = (0.0, -0.02, 0.0)
    expert_effort = -1.0
