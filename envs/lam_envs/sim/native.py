"""The native engine: MuJoCo's C library on a pool of threads, float64, bit-equal to one by one."""

from __future__ import annotations

import warnings

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch, SimulationError

from lam_envs.errors import UnstableSimulationError
from lam_envs.sim.protocol import DERIVED_FIELDS, STATE_FIELDS

_POSITIONS = int(mujoco.mjtStage.mjSTAGE_POS)
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
    """

    def __init__(self, model: mujoco.MjModel, num_worlds: int, num_threads: int) -> None:
        self.model = model
        self.num_worlds = num_worlds
        self.device = torch.device("cpu")
        self.dtype = torch.float64
        self._batch = Batch(model, num_worlds, num_threads)
        # Fields must be bound before the first call, or they read as zero until the next one.
        self._fields = {
            name: _as_tensor(self._batch.bind(name)) for name in (*STATE_FIELDS, *DERIVED_FIELDS)
        }
        self._body_pos = _as_tensor(self._batch.expand("body_pos"))
        # The last two axes are the kind of warning, and what MuJoCo noted with it and its count.
        self._warnings = self._batch.warning

    def field(self, name: str) -> torch.Tensor:
        return self._fields[name]

    def body_pos(self) -> torch.Tensor:
        return self._body_pos

    def reset(self, mask: torch.Tensor) -> None:
        self._batch.reset(mask.numpy(), stage=_NOTHING)

    def get_state(self) -> torch.Tensor:
        return torch.from_numpy(self._batch.state.copy())

    def set_state(self, mask: torch.Tensor, rows: torch.Tensor) -> None:
        self._batch.state[mask.numpy()] = rows.numpy()

    def step(self, mask: torch.Tensor | None = None, *, num_substeps: int, refresh: bool) -> None:
        ids = None if mask is None else mask.numpy()
        stage = _POSITIONS if refresh else _NOTHING
        try:
            self._batch.step(ids, nstep=num_substeps, stage=stage)
        except SimulationError as error:
            world = int(error.ids[0])
            raise UnstableSimulationError(
                f"MuJoCo stopped in world {world} ({self._batch.error(world)}); "
                "reset that world or lower the actions that led there."
            ) from error
        if self._warnings[:, :, 1].any():
            self._raise_warning()

    def forward(self, mask: torch.Tensor | None = None) -> None:
        self._batch.forward(None if mask is None else mask.numpy(), stage=_POSITIONS)

    def _raise_warning(self) -> None:
        """Turn MuJoCo's counted warnings (NaN state, full buffers) into an error."""
        world, kind = (int(i[0]) for i in np.nonzero(self._warnings[:, :, 1]))
        self._warnings[...] = 0
        name = mujoco.mjtWarning(kind).name.removeprefix("mjWARN_")
        raise UnstableSimulationError(
            f"world {world} is unstable (MuJoCo warning {name}); reset that world or lower the "
            "actions that led there."
        )
