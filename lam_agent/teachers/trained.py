"""The trained teacher: a small network from a task's state to actions, and the file that holds it.

The file is `<task>.safetensors`: the network's tensors, and JSON that says whose they are. A robot
never sees it, because a state holds positions that no camera tells; it demonstrates for policies
that see pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn import functional

from lam_agent.errors import TeacherError, one_line
from lam_agent.files import replace_atomically, save_tensors
from lam_envs.batched import BatchedEnv
from lam_envs.tasks.sawyer import ACTION_SIZE, STATE_SIZE

SUFFIX = ".safetensors"

_FORMAT_VERSION = 1
_KIND = "teacher"
_CLIP = 10.0
_MAX_WIDTH = 4096


class TeacherNetwork(nn.Module):
    """A normalised state through two hidden layers to the mean of the actions.

    Args:
        width: Units of a hidden layer.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(STATE_SIZE))
        self.register_buffer("deviation", torch.ones(STATE_SIZE))
        self.layers = nn.Sequential(
            nn.Linear(STATE_SIZE, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, ACTION_SIZE),
        )

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return actions (N, 4), float32, in [-1, 1] for states (N, 39).

        They are computed in float64, so that their rounding does not tell how many worlds there
        are.
        """
        values = ((states.double() - self.mean) / self.deviation).clamp(-_CLIP, _CLIP)
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                values = functional.linear(values, layer.weight.double(), layer.bias.double())
            else:
                values = layer(values)
        return values.clamp(-1.0, 1.0).float()


@dataclass(frozen=True)
class TrainedTeacher:
    """A teacher of one task; called with its worlds it returns their actions.

    Attributes:
        task: The task.
        network: From states to actions, on the CPU.
        said: How it was trained and how often it succeeds, as JSON holds it.
    """

    task: str
    network: TeacherNetwork
    said: Mapping[str, Any]

    @torch.inference_mode()
    def __call__(self, env: BatchedEnv) -> torch.Tensor:
        """Return the actions of all worlds, shape (num_envs, 4), float32, in [-1, 1]."""
        actions: torch.Tensor = self.network.to(env.device)(env.state)
        return actions

    def save(self, path: Path) -> None:
        """Write the file: to a temporary one first, then renamed."""
        state = self.network.state_dict()
        tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
        header = {"format_version": _FORMAT_VERSION, "kind": _KIND, "task": self.task, **self.said}
        with replace_atomically(path) as temporary:
            save_tensors(temporary, tensors, {"lam_agent": json.dumps(header)})

    @classmethod
    def load(cls, path: Path) -> TrainedTeacher:
        """Read a file that `save` wrote.

        Raises:
            TeacherError: It is missing, damaged, of a newer format or no teacher.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("lam_agent", "{}"))
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
                _check(path, header, shapes)
                tensors = {name: file.get_tensor(name) for name in shapes}
        except (OSError, SafetensorError, ValueError) as error:
            raise TeacherError(
                f"the teacher {path} cannot be read ({one_line(error)}); "
                "train it again by `lam-agent train-teacher`."
            ) from error
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise TeacherError(f"{name} of the teacher {path} is not finite; train it again.")
        network = TeacherNetwork(shapes["layers.0.weight"][0])
        network.load_state_dict(tensors)
        said = {k: v for k, v in header.items() if k not in ("format_version", "kind", "task")}
        return cls(header["task"], network.eval(), said)


def _check(path: Path, header: Any, shapes: Mapping[str, list[int]]) -> None:
    """Refuse what is no teacher, before any tensor is read."""
    if not isinstance(header, dict) or header.get("kind") != _KIND:
        raise TeacherError(f"{path} holds no teacher; name a file of `lam-agent train-teacher`.")
    if header.get("format_version") != _FORMAT_VERSION:
        raise TeacherError(
            f"the teacher {path} has format {header.get('format_version')}; this version reads "
            f"{_FORMAT_VERSION}; train it again or update lam_agent."
        )
    width = (shapes.get("layers.0.weight") or [0])[0]
    with torch.device("meta"):
        made = TeacherNetwork(width) if 0 < width <= _MAX_WIDTH else nn.Module()
    allowed = {name: list(tensor.shape) for name, tensor in made.state_dict().items()}
    if not isinstance(header.get("task"), str) or dict(shapes) != allowed:
        raise TeacherError(
            f"the teacher {path} has tensors of the shapes {dict(shapes)}; it must be a network of "
            f"two hidden layers from {STATE_SIZE} to {ACTION_SIZE} numbers; train it again."
        )


def teacher_file(folder: Path, task: str) -> Path | None:
    """Return the file of a task's trained teacher in a folder; None where it has none.

    Raises:
        TeacherError: The folder is not there, or holds no teacher at all.
    """
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    if not files:
        raise TeacherError(
            f"the folder {folder} of --collect.teachers holds no teachers; name one that "
            "`lam-agent train-teacher --output` made."
        )
    path = folder / f"{task}{SUFFIX}"
    return path if path.is_file() else None


def load_teacher(path: Path, task: str) -> TrainedTeacher:
    """Return the trained teacher of a task.

    Raises:
        TeacherError: The file is damaged, or of another task.
    """
    teacher = TrainedTeacher.load(path)
    if teacher.task != task:
        raise TeacherError(
            f"the teacher {path} knows {teacher.task!r}; it must know {task!r}; give the file the "
            "name of its task."
        )
    return teacher
