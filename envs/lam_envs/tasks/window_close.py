"""window-close: push a sliding window shut (metaworld 3.0.0, `sawyer_window_close_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.window import OPENING_M, WindowTask
from lam_envs.tensors import constant, write


class WindowClose(WindowTask):
    """Push the window's handle to the left until it is shut.

    Reset vector: window xyz. Success: handle within 5 cm of its shut position along x.
    """

    name = "window-close"
    instruction = "close the window"
    reset_low = (0.0, 0.75, 0.2)
    reset_high = (0.0, 0.9, 0.2)
    handle_site = "handleCloseStart"
    reach_sigmoid = "gaussian"
    direction = -1.0
    rise_m = 0.25

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.target_pos, mask, vectors)
        # The handle's start is where the still shut window has it, moved by the opening.
        handle = worlds.site_pos(self.handle_site)
        handle = handle + constant((OPENING_M, 0.0, 0.0), handle)
        write(worlds.start.obj_init_pos, mask, handle)
        write(worlds.start.second_init_pos, mask, handle)
        worlds.set_joint("window_slide", mask, OPENING_M)
