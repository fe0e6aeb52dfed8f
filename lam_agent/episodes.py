"""EpisodeSet: demonstrations as contiguous tensors, checked, stored as safetensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from lam_agent.errors import EpisodeError
from lam_agent.files import replace_atomically, save_tensors

FORMAT_VERSION = 1


@dataclass(frozen=True)
class EpisodeSet:
    """Episodes of one task, frame after frame, step after step.

    The cameras look every `look_every` control steps; actions are kept for every step.

    Attributes:
        task: Name of the task.
        images: Camera -> RGB of each look, shape (F, H, W, 3), uint8.
        proprioception: Hand xyz (metres) and gripper opening at each look, (F, 4), float32.
        tracked: Object and goal position at each look, (F, 6), float32, metres.
        look_step: Index into `actions` of each look, shape (F,), int64.
        actions: The teacher's clean actions, shape (S, 4), float32, in [-1, 1].
        episode_start: First step of each episode and the total, shape (E + 1,), int64.
        is_success: Whether each episode succeeded, shape (E,), bool.
        look_every: Control steps between two looks; the first step of an episode has one.
        control_dt: Seconds between two actions.
        has_tracked: Whether `tracked` was measured; if not, it is zeros.
        num_unstable: Episodes that were left out because their physics broke.
        num_failed: Episodes that were left out because the teacher failed.
    """

    task: str
    images: Mapping[str, torch.Tensor]
    proprioception: torch.Tensor
    tracked: torch.Tensor
    look_step: torch.Tensor
    actions: torch.Tensor
    episode_start: torch.Tensor
    is_success: torch.Tensor
    look_every: int
    control_dt: float
    has_tracked: bool = True
    num_unstable: int = 0
    num_failed: int = 0

    def __post_init__(self) -> None:
        frames, steps = len(self.look_step), len(self.actions)
        episodes = len(self.is_success)
        if episodes == 0 or frames == 0:
            raise EpisodeError(f"the episodes of {self.task!r} are empty; collect at least one.")
        self._check("proprioception", self.proprioception, (frames, 4), torch.float32)
        self._check("tracked", self.tracked, (frames, 6), torch.float32)
        self._check("look_step", self.look_step, (frames,), torch.int64)
        self._check("actions", self.actions, (steps, 4), torch.float32)
        self._check("episode_start", self.episode_start, (episodes + 1,), torch.int64)
        self._check("is_success", self.is_success, (episodes,), torch.bool)
        for camera, images in self.images.items():
            size = tuple(images.shape[1:3])
            self._check(f"images of {camera}", images, (frames, *size, 3), torch.uint8)
        for name in ("proprioception", "tracked", "actions"):
            if not bool(torch.isfinite(getattr(self, name)).all()):
                raise EpisodeError(
                    f"{name} of {self.task!r} holds NaN or infinity; collect the episodes again."
                )
        ends_right = int(self.episode_start[0]) == 0 and int(self.episode_start[-1]) == steps
        if not ends_right or bool((self.episode_start.diff() <= 0).any()):
            raise EpisodeError(
                f"episode_start of {self.task!r} must rise from 0 to {steps}; "
                "collect the episodes again."
            )
        if int(self.look_step.min()) < 0 or int(self.look_step.max()) >= steps:
            raise EpisodeError(
                f"look_step of {self.task!r} must lie in [0, {steps}); collect the episodes again."
            )
        self._check_rates()

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return len(self.is_success)

    @property
    def num_frames(self) -> int:
        """Number of looks."""
        return len(self.look_step)

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors().values())

    def first(self, count: int) -> EpisodeSet:
        """Return copies of the first episodes; of a part it is not known how many failed before.

        Args:
            count: Number of episodes, at most `num_episodes`.
        """
        steps = int(self.episode_start[count])
        frames = int((self.look_step < steps).sum())
        return replace(
            self,
            images={camera: images[:frames].clone() for camera, images in self.images.items()},
            proprioception=self.proprioception[:frames].clone(),
            tracked=self.tracked[:frames].clone(),
            look_step=self.look_step[:frames].clone(),
            actions=self.actions[:steps].clone(),
            episode_start=self.episode_start[: count + 1].clone(),
            is_success=self.is_success[:count].clone(),
            num_failed=self.num_failed if count == self.num_episodes else 0,
        )

    def action_chunks(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the actions that follow each look.

        Args:
            length: Chunk length L.

        Returns:
            Actions (F, L, 4), float32, and whether each step is inside its episode, (F, L), bool;
            behind an episode's end the last action is repeated.
        """
        episode = torch.searchsorted(self.episode_start, self.look_step, right=True) - 1
        last = self.episode_start[episode + 1] - 1  # (F,)
        steps = self.look_step[:, None] + torch.arange(length)  # (F, L)
        is_inside = steps <= last[:, None]
        return self.actions[steps.minimum(last[:, None])], is_inside

    def save(self, path: Path, extra: Mapping[str, Any] | None = None) -> None:
        """Write to a safetensors file: to a temporary one first, then renamed."""
        header = {
            "format_version": FORMAT_VERSION,
            "task": self.task,
            "cameras": list(self.images),
            "look_every": self.look_every,
            "control_dt": self.control_dt,
            "has_tracked": self.has_tracked,
            "num_unstable": self.num_unstable,
            "num_failed": self.num_failed,
            **(extra or {}),
        }
        tensors = {name: tensor.contiguous() for name, tensor in self._tensors().items()}
        with replace_atomically(path) as temporary:
            save_tensors(temporary, tensors, {"lam_agent": json.dumps(header)})

    @classmethod
    def load(cls, path: Path) -> EpisodeSet:
        """Read a file that `save` wrote.

        Raises:
            EpisodeError: The file is missing, damaged, of a newer format or does not fit.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("lam_agent", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, json.JSONDecodeError) as error:
            raise EpisodeError(f"the episodes in {path} cannot be read: {error}.") from error
        version = header.get("format_version") if isinstance(header, dict) else None
        if version != FORMAT_VERSION:
            raise EpisodeError(
                f"the episodes in {path} have format {version}; this version reads "
                f"{FORMAT_VERSION}; collect them again or update lam_agent."
            )
        try:
            return cls(
                task=header["task"],
                images={camera: tensors.pop(f"images.{camera}") for camera in header["cameras"]},
                look_every=header["look_every"],
                control_dt=header["control_dt"],
                has_tracked=header.get("has_tracked", True),
                num_unstable=header.get("num_unstable", 0),
                num_failed=header.get("num_failed", 0),
                **tensors,
            )
        except (KeyError, TypeError) as error:
            raise EpisodeError(f"the episodes in {path} lack a part: {error}.") from error
        except EpisodeError as error:
            raise EpisodeError(f"{path}: {error}") from error

    def _tensors(self) -> dict[str, torch.Tensor]:
        tensors = {f"images.{camera}": images for camera, images in self.images.items()}
        for name in ("proprioception", "tracked", "look_step", "actions"):
            tensors[name] = getattr(self, name)
        return tensors | {"episode_start": self.episode_start, "is_success": self.is_success}

    def _check_rates(self) -> None:
        """Refuse a control rate that is none, and looks that do not come every `look_every`."""
        for name, is_number in (
            ("look_every", isinstance(self.look_every, int) and self.look_every >= 1),
            ("control_dt", math.isfinite(self.control_dt) and self.control_dt > 0),
        ):
            if not is_number:
                raise EpisodeError(
                    f"{name} of {self.task!r} is {getattr(self, name)!r}; it must be a number "
                    "above 0; collect the episodes again."
                )
        if not torch.equal(self.look_step, regular_looks(self.episode_start, self.look_every)):
            raise EpisodeError(
                f"look_step of {self.task!r} must hold every step of an episode that is a "
                f"multiple of {self.look_every}; collect the episodes again."
            )

    def _check(
        self, name: str, tensor: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        if tuple(tensor.shape) != shape or tensor.dtype != dtype:
            raise EpisodeError(
                f"{name} of {self.task!r} has shape {tuple(tensor.shape)} and type {tensor.dtype}; "
                f"it must have shape {shape} and type {dtype}."
            )


def regular_looks(episode_start: torch.Tensor, look_every: int) -> torch.Tensor:
    """Return the steps with a look: the first of each episode and every `look_every`-th after it.

    Args:
        episode_start: First step of each episode and the total, shape (E + 1,), int64.
        look_every: Control steps between two looks.

    Returns:
        Indices of steps, shape (F,), int64.
    """
    lengths = episode_start.diff()
    in_episode = torch.arange(int(lengths.sum())) - episode_start[:-1].repeat_interleave(lengths)
    return (in_episode % look_every == 0).nonzero()[:, 0]
