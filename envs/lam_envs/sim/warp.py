"""The warp engine: mujoco_warp on Warp's CPU device or on a CUDA device, float32.

One captured graph is one physics step of all worlds; every number of substeps replays it. Tensors
are live views of Warp's arrays (no copy), on the device that the simulation runs on. A step does
not wait for the device: what broke is noted there, and read by `take_unstable`.
"""

from __future__ import annotations

from dataclasses import fields

import mujoco
import numpy as np
import torch

from lam_envs.scene import copy_model
from lam_envs.sim.buffers import Room
from lam_envs.sim.gpu import bytes_per_world, check_memory
from lam_envs.sim.protocol import (
    INTEGRATION_FIELDS,
    RANDOMISED_FIELDS,
    STATE_FIELDS,
    BatchSim,
    derived_fields,
)
from lam_envs.warp_runtime import mujoco_warp, working_on, wp

_OVERFLOWS = mujoco_warp.OverflowType
# A full solver iteration count is no lost contact: MuJoCo's C engine does not complain either.
# A penetration that was not found leaves out a contact of two geoms for one physics step.
_HARMLESS = (
    _OVERFLOWS.ITERATIONS | _OVERFLOWS.LS_ITERATIONS | _OVERFLOWS.TACTILE | _OVERFLOWS.EPA_HORIZON
)


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
                each = bytes_per_world(physics, **sizes)
                check_memory(num_worlds, each, self._warp_device.free_memory)
            self._data = mujoco_warp.make_data(physics, nworld=num_worlds, **sizes)
            self._integration = [self._view(name) for name in INTEGRATION_FIELDS]
            self._derived = derived_fields(model)
            self._fields = {name: self._view(name) for name in (*STATE_FIELDS, *self._derived)}
            self._model_fields: dict[str, torch.Tensor] = {
                name: wp.to_torch(getattr(self._model, name)) for name in varying
            }
            self._body_pos = self._model_fields["body_pos"]
            self._overflow = wp.to_torch(self._data.overflow)
            self.device = self._body_pos.device
            self._lost = torch.zeros_like(self._overflow)
            self._is_not_finite = torch.zeros(num_worlds, dtype=torch.bool, device=self.device)
            self._static = _StaticGeoms(physics, self.device)
            self._defaults = self.get_state()[0].clone()
            self._step_graph, self._pose_graph = self._capture()

    def field(self, name: str) -> torch.Tensor:
        return self._fields[name]

    def model_field(self, name: str) -> torch.Tensor:
        return self._model_fields[name]

    def refresh_constants(self, mask: torch.Tensor) -> None:
        groups = mujoco_warp.SetConstGroup.FIXED | mujoco_warp.SetConstGroup.INERT0
        with working_on(self.device):
            mujoco_warp.set_const(self._model, self._data, groups)

    def reset(self, mask: torch.Tensor) -> None:
        self.set_state(mask, self._defaults)

    def get_state(self) -> torch.Tensor:
        return torch.cat([view.reshape(self.num_worlds, -1) for view in self._integration], 1)

    def state_of(self, native: BatchSim) -> torch.Tensor:
        return torch.cat([native.field(name)[0].reshape(-1) for name in INTEGRATION_FIELDS])

    def set_state(self, mask: torch.Tensor, rows: torch.Tensor) -> None:
        rows = rows.to(self._body_pos)
        start = 0
        for view in self._integration:
            part = rows[..., start : start + view[0].numel()]
            start += view[0].numel()
            if rows.dim() == 1:
                _write(view, mask, part.reshape(view.shape[1:]))
            else:
                view[mask] = part.reshape(-1, *view.shape[1:])

    def step(self, mask: torch.Tensor | None = None, *, num_substeps: int, refresh: bool) -> None:
        self._static.place(self._fields["geom_xpos"], self._body_pos)
        kept = self._keep_others(mask)  # After the placing, which is for all worlds.
        with working_on(self.device):
            for _ in range(num_substeps):
                wp.capture_launch(self._step_graph)
            if refresh:
                wp.capture_launch(self._pose_graph)
        self._restore_others(mask, kept)
        self._note_unstable()

    def take_unstable(self) -> dict[int, str]:
        worlds = self.broken().nonzero()[:, 0].tolist()
        reasons = {world: self._reason(world) for world in worlds}
        if worlds:
            self._clear_scratch()
            self._lost.zero_()
            self._is_not_finite.zero_()
        return reasons

    def broken(self) -> torch.Tensor:
        return (self._lost != 0) | self._is_not_finite

    def forward(self, mask: torch.Tensor | None = None) -> None:
        self._static.place(self._fields["geom_xpos"], self._body_pos)
        kept = self._keep_others(mask)  # After the placing, which is for all worlds.
        with working_on(self.device):
            wp.capture_launch(self._pose_graph)
        self._restore_others(mask, kept)

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

    def _capture(self) -> tuple[wp.Graph, wp.Graph]:
        """Record one physics step, and the poses of a state, as graphs."""
        defaults = self._defaults.expand(self.num_worlds, -1)
        everywhere = torch.ones(self.num_worlds, dtype=torch.bool, device=self.device)
        refresh = mujoco_warp.forward if self.model.nsensor else mujoco_warp.fwd_kinematics
        # Kernels must be compiled, hence run once, before they can be captured.
        mujoco_warp.step(self._model, self._data)
        refresh(self._model, self._data)
        wp.synchronize_device(self._warp_device)  # Torch works in another order here.
        self.set_state(everywhere, defaults)
        self._overflow.zero_()
        wp.synchronize_device(self._warp_device)
        with wp.ScopedCapture() as step:
            mujoco_warp.step(self._model, self._data)
        with wp.ScopedCapture() as pose:
            refresh(self._model, self._data)
        self.set_state(everywhere, defaults)
        return step.graph, pose.graph

    def _keep_others(self, mask: torch.Tensor | None) -> list[torch.Tensor]:
        """Return copies of all that a step changes where it is not for all worlds."""
        return [] if mask is None else [view.clone() for view in self._changing()]

    def _restore_others(self, mask: torch.Tensor | None, kept: list[torch.Tensor]) -> None:
        if mask is None:
            return
        for view, copy in zip(self._changing(), kept, strict=True):
            _write(view, ~mask, copy)

    def _changing(self) -> list[torch.Tensor]:
        return [*self._integration, *(self._fields[name] for name in self._derived)]

    def _note_unstable(self) -> None:
        """Note the worlds that hold NaN or have lost contacts or constraints, on the device."""
        self._lost |= self._overflow & ~int(_HARMLESS)
        for name in ("qpos", "qvel"):
            self._is_not_finite |= ~self._fields[name].isfinite().all(1)

    def _reason(self, world: int) -> str:
        """Return why a world broke."""
        if not int(self._lost[world]):
            return "NaN or infinity in its state"
        return (
            f"a full buffer, {_OVERFLOWS(int(self._lost[world])).name}, of the "
            f"{self.room.contacts} contacts and {self.room.constraints} constraint rows that a "
            "world has room for"
        )

    def _clear_scratch(self) -> None:
        """Remove NaN and infinity outside of the states: rows of old constraints are read again."""
        self._overflow.zero_()
        for owner in (self._data, self._data.efc):
            for item in fields(owner):
                array = getattr(owner, item.name)
                if not isinstance(array, wp.array) or array.size == 0:
                    continue
                view = wp.to_torch(array)
                if view.is_floating_point() and item.name not in INTEGRATION_FIELDS:
                    view.nan_to_num_(0.0, 0.0, 0.0)


class _StaticGeoms:
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


def _write(view: torch.Tensor, mask: torch.Tensor, values: torch.Tensor) -> None:
    """Write values into the masked rows of a tensor, without waiting for its device."""
    where = mask.view(-1, *[1] * (view.dim() - 1))
    view.copy_(torch.where(where, values, view))


def _physics_model(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return a copy that mujoco_warp accepts: it refuses geom margins together with multiccd.

    Only the boxes of the finger tips have margins. As much larger boxes without one are held apart
    alike. Without either the lid of box-close slips; without multiccd a puck rocks on the table.
    """
    physics = copy_model(model)
    margins = physics.geom_margin.copy()
    for geom in np.flatnonzero(physics.geom_type == mujoco.mjtGeom.mjGEOM_BOX):
        physics.geom_size[geom] += margins[geom]
        physics.geom_aabb[geom, 3:] += margins[geom]
        physics.geom_rbound[geom] += np.sqrt(3.0) * margins[geom]
    physics.geom_margin[:] = 0.0
    return physics
