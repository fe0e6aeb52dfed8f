"""Draw a world's physics: friction, mass of the objects, height of the table."""

from __future__ import annotations

import mujoco
import numpy as np
import torch

from lam_envs.randomisation.ranges import Randomisation
from lam_envs.scene import name_to_id
from lam_envs.sim.protocol import BatchSim
from lam_envs.tensors import upload

ROBOT = "base"
"""Body that carries the whole robot."""


class PhysicsDraw:
    """Draws physics for the worlds of one engine.

    A table that is higher is a robot that is lower: tasks know the table's frame only. The cameras
    that stand beside the robot go down with it.

    Args:
        sim: Engine whose model fields vary by world.
        ranges: How far they vary.
    """

    def __init__(self, sim: BatchSim, ranges: Randomisation) -> None:
        self._sim = sim
        self._ranges = ranges
        model = sim.model
        self._robot = name_to_id(model, mujoco.mjtObj.mjOBJ_BODY, ROBOT)
        is_object = [not self._is_of_robot(model, body) for body in range(model.nbody)]
        self._is_object = torch.tensor(is_object, device=sim.device)
        self._defaults = {
            name: torch.from_numpy(getattr(model, name)).to(sim.device, sim.dtype)
            for name in ("geom_friction", "body_mass", "body_inertia")
        }
        #: Height of the table over its usual place, shape (num_worlds,), metres.
        self.table_height = torch.zeros(sim.num_worlds, dtype=sim.dtype, device=sim.device)

    def draw(self, generator: np.random.Generator) -> tuple[float, float, float]:
        """Return new physics for one world; always takes as many random numbers.

        Returns:
            Factor of the friction, factor of the mass, height of the table in metres.
        """
        friction, mass, height = generator.uniform(-1.0, 1.0, 3).tolist()
        ranges = self._ranges
        factors = (1.0 + ranges.friction) ** friction, (1.0 + ranges.mass) ** mass
        return *factors, height * ranges.table_height_m

    def put(self, rows: torch.Tensor, drawn: list[tuple[float, float, float]]) -> None:
        """Give worlds new physics, in one copy to the device; the constants are left to the engine.

        Args:
            rows: Which worlds, shape (n,), int64.
            drawn: What was drawn for them, n of them.
        """
        sim = self._sim
        values = upload(torch.from_numpy(np.array(drawn)), sim.dtype, sim.device)
        friction, mass, height = values.unbind(1)
        self.table_height.index_copy_(0, rows, height)
        robot_z = sim.model_field("body_pos")[:, self._robot, 2]
        robot_z.index_copy_(0, rows, float(sim.model.body_pos[self._robot, 2]) - height)
        body_mass = torch.where(self._is_object, mass[:, None], 1.0)  # (n, nbody)
        for name, factor in (
            ("geom_friction", friction[:, None, None]),
            ("body_mass", body_mass),
            ("body_inertia", body_mass[..., None]),
        ):
            sim.model_field(name).index_copy_(0, rows, self._defaults[name] * factor)

    def _is_of_robot(self, model: mujoco.MjModel, body: int) -> bool:
        while body not in (0, self._robot):
            body = int(model.body_parentid[body])
        return body == self._robot
