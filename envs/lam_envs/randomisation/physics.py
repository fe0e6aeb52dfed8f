"""Draw a world's physics: friction, mass of the objects, height of the table."""

from __future__ import annotations

import mujoco
import numpy as np
import torch

from lam_envs.randomisation.ranges import Randomisation
from lam_envs.scene import name_to_id
from lam_envs.sim.protocol import BatchSim

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
        self._objects = torch.tensor(is_object, device=sim.device)
        #: Height of the table over its usual place, shape (num_worlds,), metres.
        self.table_height = torch.zeros(sim.num_worlds, dtype=sim.dtype, device=sim.device)

    def draw(self, generator: np.random.Generator, world: int) -> None:
        """Write new physics into one world; always takes as many random numbers."""
        friction, mass, height = generator.uniform(-1.0, 1.0, 3)
        sim, ranges = self._sim, self._ranges
        self.table_height[world] = height * ranges.table_height_m
        default_z = float(sim.model.body_pos[self._robot, 2])
        sim.model_field("body_pos")[world, self._robot, 2] = default_z - self.table_height[world]
        self._scale("geom_friction", world, (1.0 + ranges.friction) ** friction)
        for name in ("body_mass", "body_inertia"):
            self._scale(name, world, (1.0 + ranges.mass) ** mass, self._objects)

    def _scale(
        self, name: str, world: int, factor: float, rows: torch.Tensor | slice = slice(None)
    ) -> None:
        """Set rows of a model field to their default times a factor."""
        field = self._sim.model_field(name)
        default = torch.from_numpy(getattr(self._sim.model, name)).to(field)
        field[world, rows] = default[rows] * factor

    def _is_of_robot(self, model: mujoco.MjModel, body: int) -> bool:
        while body not in (0, self._robot):
            body = int(model.body_parentid[body])
        return body == self._robot
