"""What the handle tasks share: a box whose red handle slides up and down on it."""

from __future__ import annotations

from typing import ClassVar

import torch

from lam_envs.tasks.base import Task
from lam_envs.tasks.sawyer import SawyerWorlds
from lam_envs.tensors import write


class HandleTask(Task):
    """Base of the tasks whose reset vector is the box's xyz.

    They start with the handle in `obj_init_pos`.

    Class attributes:
        handle_site: Site of the model that is the handle.
        goal_site: Site of the model where the handle shall be.
        handle_start_m: Where on its way, from -0.1 m (down) to 0 m (up), the handle starts.
    """

    settles_with_draw = True
    placed_body = "box"
    handle_site: ClassVar[str]
    goal_site: ClassVar[str]
    handle_start_m: ClassVar[float]

    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        worlds.set_object_joint(mask, self.handle_start_m)
        write(worlds.start.obj_init_pos, mask, worlds.site_pos(self.handle_site))
        write(worlds.start.target_pos, mask, worlds.site_pos(self.goal_site))

    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        handle = worlds.site_pos(self.handle_site)
        return torch.cat((handle, handle.new_zeros(len(handle), 4)), 1)
