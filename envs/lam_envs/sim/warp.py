"""The warp engine: mujoco_warp on Warp's CPU device or on a CUDA device, float32.

A step of all worlds, or of some, is one launch of a captured graph: its physics steps, the poses,
and the notes on what broke. Tensors are live views of Warp's arrays (no copy), on the device that
the simulation runs on. Nothing but `take_unstable` and `used_room` waits for the device.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields

import mujoco
import numpy as np
import torch

from lam_envs.graphs import Graphs
from lam_envs.sim.buffers import Room
from lam_envs.sim.gpu import bytes_per_world, check_memory
from lam_envs.sim.masked import MaskedRows
from lam_envs.sim.notes import Notes
from lam_envs.sim.protocol import (
    INTEGRATION_FIELDS,
    RANDOMISED_FIELDS,
    STATE_FIELDS,
    BatchSim,
    derived_fields,
    varying_field,
)
from lam_envs.sim.static_geoms import StaticGeoms
from lam_envs.sim.warp_physics import mujoco_warp
from lam_envs.warp_runtime import working_on, wp

_MOST_SUBSTEPS = 5
"""Physics steps in one graph, which are those of a control step; more are several launches."""


class WarpSim:
    """`BatchSim` on mujoco_warp.

    Masked steps advance all worlds and put the others back: mujoco_warp has no mask.

    Args:
        model: The compiled model.
        num_worlds: Number of worlds.
        device: Warp's name of the device, `cpu` or `cuda:0`.
        room: What memory is set aside for.
        varies: Whether the `RANDOMISED_FIELDS` differ between worlds.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        num_worlds: int,
        device: str = "cpu",
        *,
        room: Room | None = None,
        varies: bool = False,
    ) -> None:
        self.model = model
        self.num_worlds = num_worlds
        self.dtype = torch.float32
        self.room = room or Room()
        self._warp_device = wp.get_device(device)
        with wp.ScopedDevice(self._warp_device):
            physics = _physics_model(model)
            varying = ("body_pos", *(RANDOMISED_FIELDS if varies else ()))
            self._model = mujoco_warp.put_model(
                physics, batch_sizes=dict.fromkeys(varying, num_worlds)
            )
            self._model.opt.warn_overflow = 0  # It would print; `step` raises instead.
            sizes = {"nconmax": self.room.contacts, "njmax": self.room.constraints}
            if self._warp_device.is_cuda:
                copied = (*INTEGRATION_FIELDS, *derived_fields(model), "overflow")
                each = bytes_per_world(physics, copied, **sizes)
                check_memory(num_worlds, each, self._warp_device.free_memory)
            self._data = mujoco_warp.make_data(physics, nworld=num_worlds, **sizes)
            wp.synchronize_device(self._warp_device)  # Torch works in another order here.
            self._integration = [self._view(name) for name in INTEGRATION_FIELDS]
            self._derived = derived_fields(model)
            self._fields = {name: self._view(name) for name in (*STATE_FIELDS, *self._derived)}
            self._model_fields: dict[str, torch.Tensor] = {
                name: wp.to_torch(getattr(self._model, name)) for name in varying
            }
            self._body_pos = self._model_fields["body_pos"]
            self.device = self._body_pos.device
            self._static = StaticGeoms(physics, self.device)
            self._defaults = self.get_state()[0].clone()
            overflow = wp.to_torch(self._data.overflow)
            self._notes = Notes(overflow, self._fields["qpos"], self._fields["qvel"])
            derived = [self._fields[name] for name in self._derived]
            self._some = MaskedRows(
                changing=[*self._integration, *derived, overflow],
                integration=self._integration,
                scratch=self._scratch(),
            )
            self._graphs = Graphs(self._warp_device, self._parts())

    def field(self, name: str) -> torch.Tensor:
        return self._fields[name]

    def model_field(self, name: str) -> torch.Tensor:
        return varying_field(self._model_fields, name)

    def refresh_constants(self, mask: torch.Tensor) -> None:
        self._launch("constants")

    def reset(self, mask: torch.Tensor) -> None:
        self.set_state(mask, self._defaults)

    def get_state(self) -> torch.Tensor:
        return torch.cat([view.reshape(self.num_worlds, -1) for view in self._integration], 1)

    def state_of(self, native: BatchSim) -> torch.Tensor:
        parts = [native.field(name)[0].reshape(-1) for name in INTEGRATION_FIELDS]
        return torch.cat(parts).to(self._body_pos)

    def set_state(self, mask: torch.Tensor, rows: torch.Tensor) -> None:
        self._some.mask.copy_(mask)
        self._some.rows.copy_(rows)
        self._launch("write")

    def step(self, mask: torch.Tensor | None = None, *, num_substeps: int, refresh: bool) -> None:
        self._static.place(self._fields["geom_xpos"], self._body_pos)
        if mask is not None:
            self._some.mask.copy_(mask)
        first = () if mask is None else ("keep",)
        last = (("pose",) if refresh else ()) + (() if mask is None else ("put_back",)) + ("note",)
        if num_substeps <= _MOST_SUBSTEPS:
            self._launch(*first, *("step",) * num_substeps, *last)
            return
        blocks, rest = divmod(num_substeps, _MOST_SUBSTEPS)
        self._launch(*first, *("step",) * rest)
        for _ in range(blocks):
            self._launch(*("step",) * _MOST_SUBSTEPS)
        self._launch(*last)

    def forward(self, mask: torch.Tensor | None = None) -> None:
        self._static.place(self._fields["geom_xpos"], self._body_pos)
        if mask is None:
            self._launch("pose")
            return
        self._some.mask.copy_(mask)
        self._launch("keep", "pose", "put_back")

    def broken(self) -> torch.Tensor:
        return self._notes.broken()

    def mend(self, mask: torch.Tensor) -> None:
        self._notes.mend(mask)
        self._some.mask.copy_(mask)
        self._launch("clean")

    def take_unstable(self) -> dict[int, str]:
        taken = self._notes.take()
        if taken:
            self._some.mask.fill_(True)
            self._launch("clean")
        return {world: self._reason(full) for world, full in taken.items()}

    def used_room(self) -> Room:
        """Return the most that a world needed in the last physics step; it waits for the device.

        Of the pairs of geoms that may touch only the sum over all worlds is known, whose mean
        counts with the contacts.
        """
        contacts = int(wp.to_torch(self._data.nacon)[0])
        worlds = wp.to_torch(self._data.contact.worldid)[:contacts].long()
        most = int(torch.bincount(worlds, minlength=self.num_worlds).max())
        candidates = int(wp.to_torch(self._data.ncollision)[0])
        each = -(-candidates // self.num_worlds)
        return Room(max(most, each), int(wp.to_torch(self._data.nefc).max()))

    def _view(self, name: str) -> torch.Tensor:
        """Return a data array as a live tensor; matrices as nine numbers, as MuJoCo has them."""
        view: torch.Tensor = wp.to_torch(getattr(self._data, name))
        return view.flatten(2) if view.dim() == 4 else view

    def _parts(self) -> dict[str, Callable[[], object]]:
        """Return what graphs are made of."""
        model, data = self._model, self._data
        refresh = mujoco_warp.forward if self.model.nsensor else mujoco_warp.fwd_kinematics
        groups = mujoco_warp.SetConstGroup.FIXED | mujoco_warp.SetConstGroup.INERT0
        return {
            "step": lambda: mujoco_warp.step(model, data),
            "pose": lambda: refresh(model, data),
            "constants": lambda: mujoco_warp.set_const(model, data, groups),
            "note": self._notes.note,
            "keep": self._some.keep,
            "put_back": self._some.put_back,
            "write": self._some.write,
            "clean": self._some.clean,
        }

    def _launch(self, *parts: str) -> None:
        with working_on(self.device):
            self._graphs.launch(*parts)

    def _scratch(self) -> list[torch.Tensor]:
        """Return what may keep NaN of a broken world: rows of old constraints are read again."""
        arrays = {
            item.name: getattr(owner, item.name)
            for owner in (self._data, self._data.efc)
            for item in fields(owner)
        }
        views = [
            wp.to_torch(array)
            for name, array in arrays.items()
            if isinstance(array, wp.array) and array.size and name not in INTEGRATION_FIELDS
        ]
        return [view for view in views if view.is_floating_point() and len(view) == self.num_worlds]

    def _reason(self, full: str | None) -> str:
        """Return why a world broke: the buffers that were full, or a number was not finite."""
        if full is None:
            return "NaN or infinity in its state"
        return (
            f"a full buffer, {full}, of the {self.room.contacts} contacts and "
            f"{self.room.constraints} constraint rows that a world has room for"
        )


def _physics_model(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a copy that mujoco_warp accepts: it refuses geom margins together with multiccd.

    Only the boxes of the finger tips have margins. As much larger boxes without one are held apart
    alike. Without either the lid of box-close slips; without multiccd a puck rocks on the table.
    """
    physics = copy.copy(model)
    margins = physics.geom_margin.copy()
    for geom in np.flatnonzero(physics.geom_type == mujoco.mjtGeom.mjGEOM_BOX):
        physics.geom_size[geom] += margins[geom]
        physics.geom_aabb[geom, 3:] += margins[geom]
        physics.geom_rbound[geom] += np.sqrt(3.0) * margins[geom]
    physics.geom_margin[:] = 0.0
    return physics
