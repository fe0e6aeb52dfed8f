"""Geoms of bodies that are fixed to the world: mujoco_warp leaves them where they once were."""

from __future__ import annotations

import mujoco
import numpy as np
import torch


class StaticGeoms:
    """Places the geoms of bodies that are fixed to the world.

    mujoco_warp computes their poses once, when the data is made; here `body_pos` moves them.

    Args:
        model: The compiled model.
        device: Where the tensors live.
    """

    def __init__(self, model: mujoco.MjModel, device: torch.device) -> None:
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        is_mocap = model.body_mocapid[model.body_rootid] >= 0
        is_static = (model.body_weldid == 0) & ~is_mocap
        geoms = np.flatnonzero(is_static[model.geom_bodyid])
        # Row block g, column block b: how a shift of body b moves geom g.
        jacobian = np.zeros((len(geoms), 3, model.nbody, 3))
        for row, geom in enumerate(geoms):
            body = int(model.geom_bodyid[geom])
            while body > 0:
                parent = int(model.body_parentid[body])
                jacobian[row, :, body] = data.xmat[parent].reshape(3, 3)
                body = parent

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        self._geoms = torch.tensor(geoms, device=device)
        self._jacobian = tensor(jacobian)
        self._geom_xpos = tensor(data.geom_xpos[geoms])
        self._body_pos = tensor(model.body_pos)
        self._placed_version = -1

    def place(self, geom_xpos: torch.Tensor, body_pos: torch.Tensor) -> None:
        """Write the static geoms' positions where body positions have changed.

        Args:
            geom_xpos: Geom positions of all worlds, shape (num_worlds, ngeom, 3), metres.
            body_pos: Body positions of all worlds, shape (num_worlds, nbody, 3), metres.
        """
        if body_pos._version == self._placed_version:  # Torch counts the writes to a tensor.
            return
        shift = torch.einsum("gibj,nbj->ngi", self._jacobian, body_pos - self._body_pos)
        geom_xpos[:, self._geoms] = self._geom_xpos + shift
        self._placed_version = body_pos._version
