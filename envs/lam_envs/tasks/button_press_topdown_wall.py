"""button-press-topdown-wall (metaworld 3.0.0, `sawyer_button_press_topdown_wall_v3.py`)."""

from __future__ import annotations

from lam_envs.tasks.button_press_topdown import ButtonPressTopdown


class ButtonPressTopdownWall(ButtonPressTopdown):
    """Reach over the wall and press the button on top of the box all the way down.

    Reset vector: box xyz. Success: button within 2.4 cm of its pressed height.
    """

    name = "button-press-topdown-wall"
    instruction = "reach over the wall and press the button from above"
    model_file = "sawyer_xyz/sawyer_button_press_topdown_wall.xml"
    aim_in_button = (0.0, -0.06, 0.0)
    effort = -1.0
