"""What drawer-open and drawer-close share: a cabinet with one drawer, at a place along x."""

from __future__ import annotations

from lam_envs.tasks.base import Task, as_float32


class DrawerTask(Task):
    """Base of the tasks whose reset vector is the drawer's xyz."""

    model_file = "sawyer_xyz/sawyer_drawer.xml"
    hand_init_pos = as_float32(0.0, 0.6, 0.2)
    reset_low = (-0.1, 0.9, 0.0)
    reset_high = (0.1, 0.9, 0.0)
    placed_body = "drawer"
