"""BatchSim: what a physics engine must offer to the tasks and the cameras.

Two engines implement it: `native` (MuJoCo in C on a thread pool, float64) and `warp`
(mujoco_warp on the CPU or on a CUDA device, float32). Tasks are written once against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import mujoco
import torch

from lam_envs.errors import InvalidSettingError

STATE_FIELDS = ("qpos", "qvel", "ctrl", "mocap_pos", "mocap_quat")
"""Fields that may be written: they are the state and the input of a world."""

DERIVED_FIELDS = (
    "xpos",
    "xquat",
    "geom_xpos",
    "geom_xmat",
    "site_xpos",
    "cam_xpos",
    "cam_xmat",
)
"""Fields that `step` and `forward` refresh: poses in the world frame, metres."""


def derived_fields(model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the fields that are refreshed: those above, and `sensordata` if there are sensors.

    Sensors cost a computation of all forces at the new state; few scenes have any.
    """
    return (*DERIVED_FIELDS, "sensordata") if model.nsensor else DERIVED_FIELDS


INTEGRATION_FIELDS = ("time", "qpos", "qvel", "qacc_warmstart", "ctrl", "mocap_pos", "mocap_quat")
"""What a step depends on; nothing here has activations, applied forces or switched equalities."""

RANDOMISED_FIELDS = (
    "geom_friction",
    "body_mass",
    "body_inertia",
    "body_subtreemass",
    "body_invweight0",
    "dof_invweight0",
)
"""Model fields that differ between worlds where the physics is randomised, beside `body_pos`; the
last three follow from the others by `refresh_constants`."""


def varying_field(fields: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    """Return one of the model fields that differ between worlds.

    Raises:
        InvalidSettingError: It does not.
    """
    if name in fields:
        return fields[name]
    raise InvalidSettingError(
        f"{name} is no model field that differs between these worlds; they have "
        f"{', '.join(fields)}, and with varies_physics=True {', '.join(RANDOMISED_FIELDS)}."
    )


class BatchSim(Protocol):
    """`num_worlds` simulations of one model.

    Attributes:
        model: The compiled model that all worlds share, but for the fields that vary.
        num_worlds: Number of worlds.
        device: Where the tensors that this engine hands out live.
        dtype: Their floating-point type (float64 native, float32 warp).
    """

    model: mujoco.MjModel
    num_worlds: int
    device: torch.device
    dtype: torch.dtype

    def field(self, name: str) -> torch.Tensor:
        """Return the live view of a field, shape (num_worlds, ...).

        State fields may be written in place; derived fields are for reading only.
        """
        ...

    def model_field(self, name: str) -> torch.Tensor:
        """Return the live, writable values of a model field, shape (num_worlds, ...).

        Always `body_pos`; the `RANDOMISED_FIELDS` where the engine was made to vary them.
        """
        ...

    def refresh_constants(self, mask: torch.Tensor) -> None:
        """Compute what follows from the masses of the masked worlds; poses are not refreshed."""
        ...

    def reset(self, mask: torch.Tensor) -> None:
        """Set the masked worlds to the model's defaults; derived fields are not refreshed."""
        ...

    def get_state(self) -> torch.Tensor:
        """Return a copy of the full integration state, (num_worlds, nstate)."""
        ...

    def state_of(self, native: BatchSim) -> torch.Tensor:
        """Return the state of a native engine's first world as one of this engine's, (nstate,).

        It is on this engine's device.
        """
        ...

    def set_state(self, mask: torch.Tensor, rows: torch.Tensor) -> None:
        """Write full states into the masked worlds.

        Args:
            mask: Worlds to write, shape (num_worlds,), bool.
            rows: States, shape (nstate,) for one state in all of them, or (num_worlds, nstate),
                of which the masked ones are written.
        """
        ...

    def step(self, mask: torch.Tensor | None = None, *, num_substeps: int, refresh: bool) -> None:
        """Advance the masked worlds (None: all) by physics steps.

        Args:
            mask: Worlds to advance, shape (num_worlds,), bool.
            num_substeps: Number of physics steps of `model.opt.timestep` seconds.
            refresh: True computes the derived fields at the new state. False leaves them one
                physics step behind it, which is what MuJoCo's `mj_step` does.
        """
        ...

    def broken(self) -> torch.Tensor:
        """Return which worlds are broken, (num_worlds,), bool: until `mend` or `take_unstable`.

        It does not wait for the device.
        """
        ...

    def mend(self, mask: torch.Tensor) -> None:
        """Let the masked worlds start anew, without waiting for the device.

        From now on they are not broken, and no NaN is left in them outside of their states.
        `take_unstable` still tells what happened.
        """
        ...

    def take_unstable(self) -> dict[int, str]:
        """Return the worlds that broke since the last call, and forget them.

        Returns:
            World -> what happened: NaN or infinity in its state, a full buffer, a warning of
            MuJoCo. What the world holds from there on means nothing until it is reset.
        """
        ...

    def forward(self, mask: torch.Tensor | None = None) -> None:
        """Refresh the derived fields of the masked worlds (None: all) from their state."""
        ...
