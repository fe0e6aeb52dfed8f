"""Controller: what a robot loads and asks for an action in each control step.

controller = Controller.load("runs/my_run", task="push")
controller.reset()                              # At the start of each episode.
while running:                                  # Every controller.contract.control_dt seconds.
    observation = {"proprioception": hand_and_gripper()}
    if controller.needs_images():
        observation |= {"front": front_picture(), "wrist": wrist_picture()}
    execute(controller.act(observation))
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from lam_agent.checkpoint import load_pretrained, match_instruction
from lam_agent.checkpoint.contract import Contract
from lam_agent.checkpoint.interface import PROPRIOCEPTION, ObservationEntry
from lam_agent.errors import (
    ConfigError,
    FarObservationWarning,
    ObservationError,
    TrainingError,
    UnseenInstructionWarning,
)
from lam_agent.policy.instruction import bag_of_words, words_of
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.types import PROPRIOCEPTION_NAMES

_DEFAULT_TASK = "push"

_FARTHEST = (5.0, 5.0, 5.0, 2.0)
"""No hand of a table-top robot is farther from the world's origin, in metres; an opening is at most
1."""

_LIMITS = (
    "its first three entries must be metres in the world frame, the fourth must lie in [0, 1], "
    "where 1 is 10 cm; convert them or check the robot's sensors"
)

Array = TypeVar("Array", npt.NDArray[Any], torch.Tensor)


class Controller:
    """Acts on one task with a loaded policy, at control rate.

    A task that the policy learned is named; any other is asked for by an instruction. One that the
    policy never learned gives a warning (`UnseenInstructionWarning`) with the nearest that it
    learned: `is_instruction_seen` is then false, and nobody knows what the policy will do.

    The policy predicts a chunk of actions at a look. `act` hands them out one by one and looks
    again after `contract.execute_length` of them; in between it needs no images.

    An observation holds `front` and `wrist` (RGB, uint8, shape (H, W, 3)) and `proprioception`
    (hand xyz in metres and gripper opening, float32, shape (4,)), all NumPy arrays or all tensors.
    With a batch axis in front of each, B robots are controlled in step. Other keys are ignored. The
    answer is of the same kind: a NumPy array, or a tensor on the device of `proprioception`.
    Proprioception that no such robot can have gives a warning (`FarObservationWarning`), once.

    Args:
        policy: The policy.
        contract: Its contract.
        task: Name of a task that the policy learned; none: `push`, unless there is an instruction.
        instruction: What to do, in English words, in place of a task.

    Attributes:
        contract: The contract.
        instruction: The instruction that the policy follows.
        is_instruction_seen: Whether the policy learned it; case, order and punctuation do not
            count.
        nearest_instruction: The nearest instruction that it learned, with its task and the cosine
            of their vectors.
        task: The task of the instruction; None where it is unseen.

    Raises:
        ConfigError: The policy did not learn this task, the instruction has no words, or there are
            both.
    """

    def __init__(
        self,
        policy: VisualActionPolicy,
        contract: Contract,
        task: str | None = None,
        *,
        instruction: str | None = None,
    ) -> None:
        self.contract = contract
        task, self.instruction = _choose(contract, task, instruction)
        self.nearest_instruction = near = match_instruction(policy, contract, self.instruction)
        self.is_instruction_seen = near.is_seen
        # A task that is named may share its instruction with another.
        self.task = near.task if task is None and near.is_seen else task
        if not near.is_seen:
            warnings.warn(
                f"the policy never learned the instruction {self.instruction!r}; the nearest that "
                f"it learned is {near.instruction!r} (task {near.task}, cosine "
                f"{near.similarity:.2f}).",
                UnseenInstructionWarning,
                stacklevel=3,  # Where `load` is called.
            )
        self._bag = bag_of_words(self.instruction)
        self._policy = policy.on_task(self._bag)
        self._chunk: torch.Tensor | None = None
        self._num_executed = 0
        self._is_far_told = False

    @classmethod
    def load(
        cls,
        path: Path | str,
        task: str | None = None,
        device: torch.device | str = "cpu",
        *,
        instruction: str | None = None,
    ) -> Controller:
        """Load a checkpoint, verified and replayed.

        Args:
            path: A checkpoint folder, a folder `checkpoints/NNN_task` or a run folder.
            task: Name of a task that the policy learned; none: `push`, unless there is an
                instruction.
            device: Where the policy computes: `cpu` or `cuda`.
            instruction: What to do, in English words, in place of a task. One that the policy
                never learned is taken with a warning.

        Raises:
            CheckpointError: The checkpoint is missing, damaged, or of a newer format.
            ConfigError: The policy did not learn this task, the instruction has no words, or there
                are both.
        """
        policy, contract = load_pretrained(path, device)
        return cls(policy, contract, task, instruction=instruction)

    def reset(self) -> None:
        """Forget the current chunk; call it at the start of each episode."""
        self._chunk = None
        self._num_executed = 0

    def needs_images(self) -> bool:
        """Tell whether the next `act` looks, so that the observation must hold the images."""
        return self._chunk is None or self._num_executed >= self.contract.execute_length

    def act(self, observation: Mapping[str, Array]) -> Array:
        """Return the action of the next control step, shape (4,) or (B, 4), in [-1, 1].

        Args:
            observation: What the robot observes now; without images unless `needs_images()`.

        Raises:
            ObservationError: A key is missing, has a wrong shape or type or NaN in it, or numbers
                so far from a robot's that the policy's actions are NaN.
            TrainingError: The policy's actions are NaN or infinite.
        """
        batch, is_batched = self._batch(observation, with_images=self.needs_images())
        num_robots = len(batch[PROPRIOCEPTION])
        if self.needs_images():
            self._chunk = self._look(batch)
            self._num_executed = 0
        assert self._chunk is not None
        if len(self._chunk) != num_robots:
            raise ObservationError(
                f"the observation is of {num_robots} robots, but the current chunk is for "
                f"{len(self._chunk)}; call reset before their number changes."
            )
        actions = self._chunk[:, self._num_executed]  # (B, L, 4) -> (B, 4)
        self._num_executed += 1
        return _like(actions if is_batched else actions[0], observation[PROPRIOCEPTION])

    def act_chunk(self, observation: Mapping[str, Array]) -> Array:
        """Return the whole chunk for an observation, shape (L, 4) or (B, L, 4), in [-1, 1].

        It neither uses nor changes the chunk that `act` hands out.

        Args:
            observation: What the robot observes now, with images.

        Raises:
            ObservationError: A key is missing, has a wrong shape or type or NaN in it, or numbers
                so far from a robot's that the policy's actions are NaN.
            TrainingError: The policy's actions are NaN or infinite.
        """
        batch, is_batched = self._batch(observation, with_images=True)
        chunk = self._look(batch)
        return _like(chunk if is_batched else chunk[0], observation[PROPRIOCEPTION])

    def _look(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the policy's chunk of actions for what is observed, (B, L, 4).

        Raises:
            ObservationError: It is NaN or infinite, and so might any policy's be.
            TrainingError: It is NaN or infinite.
        """
        far = _far_words(batch[PROPRIOCEPTION])
        try:
            chunk = self._policy.act(batch, self._bag).clone()
        except TrainingError as error:
            if far:
                raise ObservationError(
                    f"{far}, where the policy's actions are NaN or infinite; {_LIMITS}."
                ) from error
            raise
        if far and not self._is_far_told:
            self._is_far_told = True
            # As if from where `act` is called.
            warnings.warn(f"{far}; {_LIMITS}.", FarObservationWarning, stacklevel=3)
        return chunk

    def _batch(
        self, observation: Mapping[str, Any], *, with_images: bool
    ) -> tuple[dict[str, torch.Tensor], bool]:
        """Return the observation as tensors with a batch axis, and whether it came with one."""
        entries = self.contract.observation
        needed = list(entries) if with_images else [PROPRIOCEPTION]
        if not isinstance(observation, Mapping):
            raise ObservationError(
                f"the observation is a {type(observation).__name__}; it must be a dict with "
                f"{', '.join(needed)}."
            )
        missing = [key for key in needed if key not in observation]
        if missing:
            raise ObservationError(
                f"the observation lacks {', '.join(missing)}; it needs {', '.join(needed)}."
            )
        robot_axes = np.ndim(observation[PROPRIOCEPTION]) - 1
        shape = tuple(np.shape(observation[PROPRIOCEPTION]))[: max(robot_axes, 0)]
        if len(shape) > 1 or 0 in shape:
            raise ObservationError(
                f"proprioception has shape {tuple(np.shape(observation[PROPRIOCEPTION]))}; "
                "it must have shape (4,), or (B, 4) for B robots."
            )
        batch = {
            key: _tensor(key, observation[key], entry, shape)
            for key, entry in entries.items()
            if key in observation
        }
        return {key: value if shape else value[None] for key, value in batch.items()}, bool(shape)


def _choose(
    contract: Contract, task: str | None, instruction: str | None
) -> tuple[str | None, str]:
    """Return the task that is asked for, if one is, and its instruction or the one in its place.

    Raises:
        ConfigError: The task was not learned, the text has no words, or there are both.
    """
    for name, value in (("task", task), ("instruction", instruction)):
        if not isinstance(value, str | None):
            raise ConfigError(f"{name} is {value!r}; it must be a string or None.")
    if instruction is None:
        task = _DEFAULT_TASK if task is None else task
        return task, contract.instruction_of(task, "name one, or give instruction='…' in its place")
    if task is not None:
        raise ConfigError(
            f"task is {task!r} and instruction is {instruction!r}; give one of the two."
        )
    if not words_of(instruction):
        raise ConfigError(
            f"instruction is {instruction!r}, which has no words; write it with letters a to z."
        )
    return None, instruction


def _far_words(proprioception: torch.Tensor) -> str:
    """Return which entry no such robot can observe, (B, 4), in words; none where all can be."""
    ends = (proprioception.amin(0).tolist(), proprioception.amax(0).tolist())
    for name, low, high, farthest in zip(PROPRIOCEPTION_NAMES, *ends, _FARTHEST, strict=True):
        value = max(low, high, key=abs)
        if abs(value) > farthest:
            return f"proprioception has a {name} of {value:.4g}"
    return ""


def _tensor(
    key: str, value: object, entry: ObservationEntry, batch: tuple[int, ...]
) -> torch.Tensor:
    """Return a checked value as a tensor; an array is copied.

    Raises:
        ObservationError: It is no array, has a wrong shape or type, or holds NaN.
    """
    if not isinstance(value, np.ndarray | torch.Tensor):
        raise ObservationError(
            f"{key} is a {type(value).__name__}; it must be a NumPy array or a tensor."
        )
    expected, shape = (*batch, *entry.shape), tuple(value.shape)
    dtype = str(value.dtype).removeprefix("torch.")
    if shape != expected or dtype != entry.dtype:
        raise ObservationError(
            f"{key} has shape {shape} and type {dtype}; it must have shape {expected} and type "
            f"{entry.dtype}."
        )
    # A copy, because a view of a camera's driver may be read-only or flipped by negative strides.
    tensor = torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value
    if not bool(torch.isfinite(tensor).all()):
        raise ObservationError(f"{key} holds NaN or infinity; check the robot's sensors.")
    return tensor


def _like(actions: torch.Tensor, example: Array) -> Array:
    """Return actions as a new NumPy array or tensor, whichever the example is."""
    if isinstance(example, torch.Tensor):
        return actions.to(example.device, copy=True)
    return actions.cpu().numpy().copy()
