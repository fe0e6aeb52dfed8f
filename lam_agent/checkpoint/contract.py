"""The controller contract: `config.json` of a checkpoint, written, read and checked."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from lam_agent.checkpoint.interface import ActionEntry, ObservationEntry, observation_layout
from lam_agent.checkpoint.success_row import SuccessRow
from lam_agent.config import PolicyConfig
from lam_agent.errors import CheckpointError, ConfigError
from lam_agent.types import ACTION_NAMES
from lam_envs.words import nearest

FORMAT_VERSION = 1
"""Newest format of a checkpoint that this version writes and reads."""

CONFIG_FILE = "config.json"
MODEL_FILE = "model.safetensors"
PARITY_FILE = "parity.safetensors"
INSTRUCTIONS_FILE = "instructions.safetensors"
MEMORY_FILE = "memory.safetensors"
CARD_FILE = "README.md"

_COUNTS = ("episodes", "horizon", "threads")
"""Entries of the protocol that commands compute with."""

_DIGEST = "config_sha256"
_NOT_KEPT = ("init", "init_part")
_POLICY_KEYS = {item.name for item in fields(PolicyConfig)}.difference(_NOT_KEPT)
_LATER_KEYS = {"encoder", "encoder_weights", "overview", "packed"}
"""Settings that checkpoints of earlier versions lack; the defaults are what they had."""


@dataclass(frozen=True)
class Parity:
    """The sample in `parity.safetensors` that a loaded policy must reproduce.

    Attributes:
        task: Task that the policy is on.
        tolerance_cpu: Largest difference of an action on a CPU in float32.
        tolerance_cuda: The same on a CUDA device, whose convolutions round more coarsely.
    """

    task: str
    tolerance_cpu: float = 1e-5
    tolerance_cuda: float = 2e-2

    def __post_init__(self) -> None:
        for name in ("tolerance_cpu", "tolerance_cuda"):
            value = getattr(self, name)
            _require(0 < value < 1, f"parity.{name}", value, "between 0 and 1, both excluded")


@dataclass(frozen=True)
class Contract:
    """What a controller must know of a policy; the content of `config.json`.

    Attributes:
        format_version: Format of the checkpoint.
        lam_agent_version: Version of the package that saved it.
        policy: Sizes of the policy; `init` is not kept, and of a file of weights its name.
        tasks: Task -> instruction, for all tasks that were learned.
        observation: Key -> shape, type, unit, order, meaning and camera.
        actions: Entries of an action, in order.
        control_dt: Seconds between two actions.
        chunk_length: Actions that the policy predicts at a look.
        execute_length: Actions that are executed before the policy looks again.
        versions: Package -> version at save time.
        sha256: Name -> SHA-256 of every other file of the checkpoint.
        success_row: Success that was measured at save time.
        protocol: How it was measured.
        seeds: Seeds by purpose.
        parity: Sample that the loaded policy must reproduce.
        remembered: Task -> instruction, of those whose frames are in its memory: tasks that were
            learned, in the stream or before it, and kept.
    """

    format_version: int
    lam_agent_version: str
    policy: PolicyConfig
    tasks: Mapping[str, str]
    observation: Mapping[str, ObservationEntry]
    actions: tuple[ActionEntry, ...]
    control_dt: float
    chunk_length: int
    execute_length: int
    versions: Mapping[str, str]
    sha256: Mapping[str, str]
    success_row: SuccessRow
    protocol: Mapping[str, Any]
    seeds: Mapping[str, Any]
    parity: Parity
    remembered: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        layout = {key: (entry.shape, entry.dtype) for key, entry in self.observation.items()}
        expected = observation_layout(self.policy)
        _require(layout == expected, "observation", layout, f"{expected} for this policy")
        names = tuple(entry.name for entry in self.actions)
        _require(names == ACTION_NAMES, "actions", names, str(ACTION_NAMES))
        for name in ("chunk_length", "execute_length"):
            value, same = getattr(self, name), getattr(self.policy, name)
            _require(value == same, name, value, f"policy.{name} ({same})")
        _require(0 < self.control_dt < math.inf, "control_dt", self.control_dt, "above 0")
        _require(len(self.tasks) > 0, "tasks", dict(self.tasks), "one task or more")
        known = ", ".join(self.tasks)
        _require(self.parity.task in self.tasks, "parity.task", self.parity.task, f"of {known}")
        files, needed = sorted(self.sha256), (MODEL_FILE, PARITY_FILE, CARD_FILE)
        _require(set(needed) <= set(files), "sha256", files, f"that of {', '.join(needed)}")
        for name in files:
            _require(name == Path(name).name, "sha256", name, "the name of a file in the folder")
        remembers = sorted(self.remembered)
        is_there = MEMORY_FILE in self.sha256
        _require(bool(remembers) == is_there, "remembered", remembers, f"those of {MEMORY_FILE}")
        for name in _COUNTS:
            value = self.protocol.get(name, 1)
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            _require(is_count, f"protocol.{name}", value, "a whole number, at least 1")

    @property
    def known(self) -> dict[str, str]:
        """Task -> instruction, for all that the policy can do: learned last or remembered."""
        return {**self.tasks, **self.remembered}

    def instruction_of(self, task: str, remedy: str = "name one") -> str:
        """Return the instruction of a task that the policy can do.

        Args:
            task: Name of the task.
            remedy: What to do where it cannot, for the error.

        Raises:
            ConfigError: It cannot do this task.
        """
        if task not in self.known:
            raise ConfigError(
                f"the checkpoint has no task {task!r}{nearest(task, self.known)}; its tasks are "
                f"{', '.join(self.known)}; {remedy}."
            )
        return self.known[task]

    def to_text(self) -> str:
        """Return the content of `config.json`, with the SHA-256 of its own content."""
        data = asdict(self)
        for name in _NOT_KEPT:
            del data["policy"][name]
        data = json.loads(json.dumps(data, allow_nan=False))
        return json.dumps({**data, _DIGEST: _digest(data)}, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Contract:
        """Read and check the content of `config.json`.

        Raises:
            CheckpointError: It is no JSON, of a newer format, changed, incomplete or inconsistent.
        """
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"it is no JSON ({error}); copy the checkpoint again.") from error
        _require(isinstance(data, dict), "its content", type(data).__name__, "an object")
        version = data.get("format_version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise CheckpointError(
                f"format_version is {version!r}; it must be a whole number from 1 to "
                f"{FORMAT_VERSION}."
            )
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f"format_version is {version}, which is newer than the {FORMAT_VERSION} that this "
                "version reads; update lam_agent."
            )
        if data.pop(_DIGEST, None) != _digest(data):
            raise CheckpointError(
                "it was edited or damaged, because its content has another SHA-256 than "
                f"{_DIGEST} says; copy the checkpoint again."
            )
        policy = data.get("policy")
        found = sorted(policy) if isinstance(policy, dict) else policy
        keys = set(policy) | _LATER_KEYS if isinstance(policy, dict) else found
        _require(keys == _POLICY_KEYS, "policy", found, f"{sorted(_POLICY_KEYS)}")
        data["policy"] = {**policy, "init": "none"}
        try:
            return TypeAdapter(cls).validate_json(json.dumps(data), strict=True)
        except ConfigError as error:
            raise CheckpointError(str(error)) from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the content"
            raise CheckpointError(f"{where} does not fit: {first['msg'].rstrip('.')}.") from error


def read_contract(folder: Path) -> Contract:
    """Read `config.json` of a checkpoint folder.

    Raises:
        CheckpointError: The file is missing or does not fit.
    """
    path = folder / CONFIG_FILE
    try:
        return Contract.from_text(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path} is missing or cannot be read ({error.strerror}); copy the whole folder again."
        ) from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is damaged ({error}); copy the checkpoint again.") from error
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _digest(data: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON content, whatever the order of its keys and its white space."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise CheckpointError unless the condition holds."""
    if not condition:
        raise CheckpointError(f"{name} is {value!r}; it must be {allowed}.")


def _refuse_constant(name: str) -> NoReturn:
    """Refuse the NaN and Infinity that Python's parser would take."""
    raise ValueError(f"{name} is no number of JSON")
