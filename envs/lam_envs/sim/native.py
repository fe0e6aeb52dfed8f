"""The native engine: MuJoCo's C library on a pool of threads, float64, bit-equal to one by one."""

from __future__ import annotations

import warnings

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch, SimulationError

from lam_envs.instability import where_not_finite
from lam_envs.sim.protocol import (
    INTEGRATION_FIELDS,
    RANDOMISED_FIELDS,
    BatchSim,
    derived_fields,
    varying_field,
)

_POSITIONS = int(mujoco.mjtStage.mjSTAGE_POS)
_FORCES = int(mujoco.mjtStage.mjSTAGE_ACC)
_NOTHING = int(mujoco.mjtStage.mjSTAGE_NONE)


def _as_tensor(array: np.ndarray) -> torch.Tensor:
    """Wrap an array without a copy; MuJoCo marks its outputs read-only, which torch warns of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


class NativeSim:
    """`BatchSim` on `mujoco.batch.Batch`.

    Args:
        model: The compiled model.
        num_worlds: Number of worlds.
        num_threads: Threads that step them; results do not depend on it.
        varies: Whether the `RANDOMISED_FIELDS` differ between worlds.
    """

    def __init__(
        self, model: mujoco.MjModel, num_worlds: int, num_threads: int, *, varies: bool = False
    ) -> None:
        self.model = model
        self.num_worlds = num_worlds
        self.device = torch.device("cpu")
        self.dtype = torch.float64
        self._batch = Batch(model, num_worlds, num_threads)
        # Fields must be bound before the first call, or they read as zero until the next one.
        self._fields = {
            name: _as_tensor(self._batch.bind(name))
            for name in (*INTEGRATION_FIELDS, *derived_fields(model))
        }
        self._refreshed = _FORCES if model.nsensor else _POSITIONS
        varying = ("body_pos", *(RANDOMISED_FIELDS if varies else ()))
        self._model_fields = {name: _as_tensor(self._batch.expand(name)) for name in varying}
        # The last two axes are the kind of warning, and what MuJoCo noted with it and its count.
        self._warnings = self._batch.warning
        self._unstable: dict[int, str] = {}
        self._mended: dict[int, str] = {}

    def field(self, name: str) -> torch.Tensor:
        return self._fields[name]

    def model_field(self, name: str) -> torch.Tensor:
        return varying_field(self._model_fields, name)

    def refresh_constants(self, mask: torch.Tensor) -> None:
        self._batch.set_const(mask.numpy())

    def reset(self, mask: torch.Tensor) -> None:
        self._batch.reset(mask.numpy(), stage=_NOTHING)

    def get_state(self) -> torch.Tensor:
        return torch.from_numpy(self._batch.state.copy())

    def state_of(self, native: BatchSim) -> torch.Tensor:
        return native.get_state()[0]

    def set_state(self, mask: torch.Tensor, rows: torch.Tensor) -> None:
        is_written = mask.numpy()
        self._batch.state[is_written] = (
            rows.numpy() if rows.dim() == 1 else rows.numpy()[is_written]
        )

    def step(self, mask: torch.Tensor | None = None, *, num_substeps: int, refresh: bool) -> None:
        ids = None if mask is None else mask.numpy()
        stage = self._refreshed if refresh else _NOTHING
        try:
            self._batch.step(ids, nstep=num_substeps, stage=stage)
        except SimulationError as error:  # The other worlds are through.
            for world in error.ids.tolist():
                self._unstable[world] = f"MuJoCo's error {self._batch.error(world)}"
        self._note_unstable()

    def broken(self) -> torch.Tensor:
        mask = torch.zeros(self.num_worlds, dtype=torch.bool)
        mask[list(self._unstable)] = True
        return mask

    def mend(self, mask: torch.Tensor) -> None:
        for world in [world for world in self._unstable if mask[world]]:
            self._mended[world] = self._unstable.pop(world)

    def take_unstable(self) -> dict[int, str]:
        unstable = {**self._mended, **self._unstable}
        self._mended, self._unstable = {}, {}
        return unstable

    def forward(self, mask: torch.Tensor | None = None) -> None:
        self._batch.forward(None if mask is None else mask.numpy(), stage=self._refreshed)

    def _note_unstable(self) -> None:
        """Keep the worlds that MuJoCo warned of (bad numbers, full buffers) or that hold NaN."""
        if self._warnings[:, :, 1].any():
            # MuJoCo has put a world with bad numbers back to the model's defaults.
            for world, kind in np.argwhere(self._warnings[:, :, 1]).tolist():
                name = mujoco.mjtWarning(kind).name.removeprefix("mjWARN_")
                self._unstable.setdefault(world, f"MuJoCo's warning {name}")
            self._warnings[...] = 0
        for world in where_not_finite(self._fields["qpos"], self._fields["qvel"]):
            self._unstable.setdefault(world, "NaN or infinity in its state")
