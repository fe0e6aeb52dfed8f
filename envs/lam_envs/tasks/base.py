"""What a task is: scene, reset distribution, state, reward, success and scripted expert.

Every method is a batched torch function over the worlds of one engine, so that a task file reads
like a specification and serves all engines. Positions are in metres in the world frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from lam_envs.errors import TaskLoadError
from lam_envs.tasks.sawyer import SawyerWorlds

Vector3 = tuple[float, float, float]

_MAX_DRAWS = 10_000
"""Reset vectors that are drawn of a seed before a task is said to accept none."""


@dataclass(frozen=True)
class Outcome:
    """What a task says of one control step.

    Attributes:
        reward: Meta-World's dense reward in [0, 10], shape (N,).
        is_success: Whether the success predicate holds now, shape (N,), bool.
    """

    reward: torch.Tensor
    is_success: torch.Tensor


class Task(ABC):
    """One manipulation task of the Sawyer arm.

    Class attributes:
        name: Meta-World's name without its version, such as `drawer-open`.
        instruction: What to do, in words that a policy can be conditioned on.
        model_file: MJCF path below metaworld's `assets` folder, or an absolute path.
        hand_init_pos: Where the hand settles before an episode.
        reset_low: Lower bounds of the reset vector.
        reset_high: Upper bounds of the reset vector.
        goal_low: Lower bounds of the goal, to which the state's last three entries are clipped.
        goal_high: Upper bounds of the goal.
        placed_body: Fixed body that the reset vector places, where it is just its xyz.
        shows_goal: Whether the goal is a free position, shown to the cameras as a green marker.
        goal_is_seen: Whether the goal, though not free, is the place of something that is seen.
        settles_with_draw: Whether the settled start depends on the reset vector.
        min_goal_distance_m: Least distance in the plane of object and goal, which are the halves of
            a reset vector of four or six entries, xy or xyz; nearer ones are drawn anew. 0 accepts
            all.
        hand_low: Lower bounds of the commanded hand position.
        hand_high: Upper bounds of the commanded hand position.
        action_size: Entries of an action.
        control_dt: Seconds between two actions: five physics steps of the scene.
        cameras: Cameras that show the task. The tasks of a stream share these last three.
    """

    name: ClassVar[str]
    instruction: ClassVar[str]
    model_file: ClassVar[str]
    reset_low: ClassVar[tuple[float, ...]]
    reset_high: ClassVar[tuple[float, ...]]
    hand_init_pos: ClassVar[Vector3] = (0.0, 0.6, 0.2)
    hand_low: ClassVar[Vector3] = (-0.5, 0.40, 0.05)
    hand_high: ClassVar[Vector3] = (0.5, 1.0, 0.5)
    goal_low: ClassVar[Vector3] = (-0.5, 0.40, 0.05)
    goal_high: ClassVar[Vector3] = (0.5, 1.0, 0.5)
    placed_body: ClassVar[str | None] = None
    shows_goal: ClassVar[bool] = False
    goal_is_seen: ClassVar[bool] = False
    settles_with_draw: ClassVar[bool] = False
    min_goal_distance_m: ClassVar[float] = 0.0
    action_size: ClassVar[int] = 4
    control_dt: ClassVar[float] = 0.0125
    cameras: ClassVar[tuple[str, ...]] = ("front", "wrist")

    def is_valid_reset(self, vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which reset vectors, shape (N, k), the task accepts; the others are drawn anew."""
        if self.min_goal_distance_m == 0.0:
            return np.ones(len(vectors), dtype=np.bool_)
        self.check_goal_distance()
        half = vectors.shape[1] // 2
        distance = np.linalg.norm(vectors[:, :2] - vectors[:, half : half + 2], axis=1)
        return np.asarray(distance >= self.min_goal_distance_m)

    @classmethod
    def check_goal_distance(cls) -> None:
        """Refuse a least distance of object and goal that the reset vector does not have.

        Raises:
            TaskLoadError: Naming the task and what its reset vector must be.
        """
        size = len(cls.reset_low)
        if size not in (4, 6):
            raise TaskLoadError(
                f"{cls.name} has min_goal_distance_m {cls.min_goal_distance_m} and reset vectors "
                f"of {size} entries; they must be the object's xy and the goal's, or xyz and xyz: "
                "change them, or write is_valid_reset in its place."
            )

    def place_bodies(self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor) -> None:
        """Move the fixed bodies of the masked worlds, before the hand settles: `placed_body`.

        Args:
            worlds: The worlds.
            mask: Worlds that reset, shape (num_worlds,), bool.
            vectors: Reset vectors of all worlds, shape (num_worlds, k).
        """
        if self.placed_body is not None:
            worlds.set_body_pos(self.placed_body, mask, vectors)

    @abstractmethod
    def place_objects(
        self, worlds: SawyerWorlds, mask: torch.Tensor, vectors: torch.Tensor
    ) -> None:
        """Place the objects after the hand has settled; set the start's target and object.

        Args:
            worlds: The worlds; writes `start.target_pos` and `start.obj_init_pos`.
            mask: Worlds that reset, shape (num_worlds,), bool.
            vectors: Reset vectors of all worlds, shape (num_worlds, k).
        """

    @abstractmethod
    def object_poses(self, worlds: SawyerWorlds) -> torch.Tensor:
        """Return position and quaternion of each object, shape (N, 7 * number of objects)."""

    @abstractmethod
    def evaluate(self, worlds: SawyerWorlds, state: torch.Tensor, actions: torch.Tensor) -> Outcome:
        """Compute reward and success.

        Args:
            worlds: The worlds after the step.
            state: Clipped state after the step, shape (N, 39).
            actions: Actions of the step, shape (N, 4), float32.
        """

    def expert(self, state: torch.Tensor) -> torch.Tensor:
        """Return the scripted expert's actions, shape (N, 4), before clipping to [-1, 1].

        Args:
            state: State that holds the goal in its last three entries, shape (N, 39).

        Raises:
            TaskLoadError: The task has none: a trained teacher must demonstrate it.
        """
        raise TaskLoadError(
            f"the task {self.name} has no scripted expert; write its method expert, or train a "
            "teacher by `lam-agent train-teacher` and name its folder by --collect.teachers."
        )

    def teacher(self, state: torch.Tensor) -> torch.Tensor:
        """Return the actions that demonstrations show, shape (N, 4), before clipping to [-1, 1].

        They are the expert's, but for tasks whose expert often fails, or succeeds by a hair.
        """
        return self.expert(state)

    def tracked_positions(self, state: torch.Tensor) -> torch.Tensor:
        """Return what a policy must see: object and goal position, shape (N, 6), metres.

        A task whose goal is neither shown nor seen repeats the object's position.
        """
        obj = state[:, 4:7]
        goal = state[:, -3:] if self.shows_goal or self.goal_is_seen else obj
        return torch.cat((obj, goal), 1)

    def sample_reset_vectors(
        self, generators: list[np.random.Generator]
    ) -> npt.NDArray[np.float64]:
        """Draw one valid reset vector from each generator, shape (len(generators), k)."""
        low, high = np.asarray(self.reset_low), np.asarray(self.reset_high)
        vectors = np.empty((len(generators), len(low)))
        for row, generator in enumerate(generators):
            for _ in range(_MAX_DRAWS):
                vectors[row] = generator.uniform(low, high)
                if self.is_valid_reset(vectors[row : row + 1])[0]:
                    break
            else:
                raise TaskLoadError(
                    f"is_valid_reset of {self.name} refuses {_MAX_DRAWS} reset vectors in a row; "
                    "let it accept more of those between reset_low and reset_high."
                )
        return vectors


def as_float32(*values: float) -> Vector3:
    """Return numbers rounded to float32, where the original wrote a float32 array."""
    x, y, z = (float(np.float32(value)) for value in values)
    return x, y, z


def at_height(positions: torch.Tensor, height: torch.Tensor | float) -> torch.Tensor:
    """Return positions, shape (N, 3), with another height, a number or shape (N,)."""
    moved = positions.clone()
    moved[:, 2] = height
    return moved


def move(from_pos: torch.Tensor, to_pos: torch.Tensor, gain: float) -> torch.Tensor:
    """Return the proportional hand displacement `gain * (to_pos - from_pos)`, shape (N, 3)."""
    return gain * (to_pos - from_pos)


def choose(*cases: tuple[torch.Tensor, torch.Tensor], otherwise: torch.Tensor) -> torch.Tensor:
    """Return, world by world, the value of the first case whose condition holds.

    Args:
        cases: Pairs of a condition, shape (N,), and a value, shape (N, d) or (N,).
        otherwise: Value where no condition holds.
    """
    result = otherwise
    for condition, value in reversed(cases):
        shape = (-1,) + (1,) * (value.dim() - 1)
        result = torch.where(condition.view(shape), value, result)
    return result
