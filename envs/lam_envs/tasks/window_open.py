"""window-open: push a sliding window open (metaworld 3.0.0, `sawyer_window_open_v3.py`)."""

from __future__ import annotations

import torch

from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tasks.window import OPENING_M, WindowTask
from lam_envs.tensors import constant, write


class WindowOpen(WindowTask):
    """Push the window's handle to the right until it is open.

    Reset vector: window xyz. Success: handle within 5 cm of its open position along x.
    """

    name = "window-open"
    instruction = "open the window"
    reset_low = (-0.1, 0.7, 0.16)
    reset_high = (0.1, 0.9, 0.16)
    handle_site = "handleOpenStart"
    reach_sigmoid = "long_tail"
    direction = 1.0
    rise_m = 0.3

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        write(worlds.start.obj_init_pos, mask, vectors)
        write(worlds.start.target_pos, mask, vectors + constant((OPENING_M, 0.0, 0.0), vectors))
        write(worlds.start.second_init_pos, mask, worlds.site_pos(self.handle_site))
        worlds.set_joint("window_slide", mask, 0.0)
