"""Configuration of a run: frozen dataclasses that are checked when they are made.

The docstring under each field is its help on the command line. This module imports neither torch
nor avalanche, so that `--help` is quick.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from lam_agent.errors import ConfigError
from lam_agent.options import ModuleNames, comma_list
from lam_envs.randomisation.ranges import Randomisation

DeviceName = Literal["auto", "cpu", "cuda"]

TaskStream = Annotated[tuple[str, ...], comma_list("TASK,TASK,…")]
"""Tasks and named task streams that the command line separates by commas."""

LOGGERS = ("tensorboard", "wandb")

LoggerNames = Annotated[tuple[str, ...], comma_list("LOGGER,…", is_distinct=True)]
"""Loggers that the command line separates by commas."""

STRATEGIES = ("naive", "replay", "ewc", "cumulative", "joint")

StrategyName = Annotated[
    str,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(STRATEGIES) + "}",
        instance_from_str=lambda words: words[0],
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: [value],
    ),
]
"""A strategy; the configuration names the nearest one where there is none of that name."""


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise ConfigError unless the condition holds."""
    if not condition:
        raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")


def require_finite(section: object, prefix: str) -> None:
    """Refuse NaN and infinity in any number of a section."""
    for item in fields(section):  # type: ignore[arg-type]
        value = getattr(section, item.name)
        if isinstance(value, float):
            name = f"{prefix}{item.name.replace('_', '-')}"
            require(math.isfinite(value), name, value, "a finite number")


@dataclass(frozen=True)
class SimConfig:
    """The simulation."""

    on_unstable: Literal["raise", "drop"] = "raise"
    """Where a world's physics breaks: stop, or leave the demonstration out and fail the test."""


@dataclass(frozen=True)
class EvalConfig:
    """How success is measured."""

    episodes: int = 50
    """Test episodes for each cell of the success matrix."""

    horizon: int = 200
    """Control steps of an episode (80 a second)."""

    validation_episodes: int = 30
    """Validation episodes for model selection; their starts are disjoint from the test starts."""

    full_matrix: bool = False
    """Also fill the cells that the metrics do not need."""

    def __post_init__(self) -> None:
        require(self.episodes >= 1, "eval.episodes", self.episodes, "at least 1")
        require(self.horizon >= 1, "eval.horizon", self.horizon, "at least 1")
        require(
            self.validation_episodes >= 1,
            "eval.validation-episodes",
            self.validation_episodes,
            "at least 1",
        )


@dataclass(frozen=True)
class CollectConfig:
    """How demonstrations are collected."""

    noise_std: float = 0.2
    """Standard deviation of the noise on the executed action; labels stay the expert's."""

    noise_correlation: float = 0.8
    """Correlation of the noise from one control step to the next; 0 is white noise."""

    noisy_fraction: float = 0.5
    """Share of the episodes that are executed with noise."""

    play_fraction: float = 0.0
    """Share of the episodes that move smoothly at random; labels stay the teacher's."""

    steps_after_success: int = 20
    """Control steps that are kept after the first success."""

    look_every: int = 4
    """Control steps between two looks of the cameras; actions are kept for every step."""

    batch: int = 64
    """Worlds that are collected at a time."""

    cache_dir: Path | None = None
    """Where demonstrations are cached; none: `lam_agent` in the user's cache folder."""

    def __post_init__(self) -> None:
        require_finite(self, "collect.")
        require(self.noise_std >= 0, "collect.noise-std", self.noise_std, "at least 0")
        require(
            0 <= self.noise_correlation < 1,
            "collect.noise-correlation",
            self.noise_correlation,
            "at least 0 and less than 1",
        )
        for item in ("noisy_fraction", "play_fraction"):
            value, name = getattr(self, item), f"collect.{item.replace('_', '-')}"
            require(0 <= value <= 1, name, value, "between 0 and 1")
        require(
            self.steps_after_success >= 0,
            "collect.steps-after-success",
            self.steps_after_success,
            "at least 0",
        )
        require(self.look_every >= 1, "collect.look-every", self.look_every, "at least 1")
        require(self.batch >= 1, "collect.batch", self.batch, "at least 1")


@dataclass(frozen=True)
class PolicyConfig:
    """The visual-action policy."""

    init: str = "none"
    """Checkpoint folder to start from, or `none` for random weights."""

    image_size: int = 64
    """Height and width of the camera images, pixels."""

    chunk_length: int = 8
    """Actions that the policy predicts at a look."""

    execute_length: int = 4
    """Actions that are executed before the policy looks again."""

    width: int = 128
    """Width of the trunk's tokens."""

    depth: int = 2
    """Layers of the trunk."""

    heads: int = 4
    """Attention heads of the trunk."""

    channels: int = 32
    """Channels of the camera encoders' patch features."""

    keypoints: int = 64
    """Feature points that each camera's encoder finds."""

    encoder_depth: int = 0
    """Blocks of each camera encoder that mix neighbouring patches; pretrained ones have some."""

    def __post_init__(self) -> None:
        sizes = (
            "chunk_length",
            "execute_length",
            "width",
            "depth",
            "heads",
            "channels",
            "keypoints",
        )
        for item in sizes:
            value = getattr(self, item)
            require(value >= 1, f"policy.{item.replace('_', '-')}", value, "at least 1")
        require(self.encoder_depth >= 0, "policy.encoder-depth", self.encoder_depth, "at least 0")
        require(
            self.image_size >= 32 and self.image_size % 4 == 0,
            "policy.image-size",
            self.image_size,
            "a multiple of 4, at least 32",
        )
        require(
            self.execute_length <= self.chunk_length,
            "policy.execute-length",
            self.execute_length,
            f"at most policy.chunk-length ({self.chunk_length})",
        )
        require(
            self.width % self.heads == 0,
            "policy.width",
            self.width,
            f"a multiple of policy.heads ({self.heads})",
        )


@dataclass(frozen=True)
class TrainConfig:
    """How the policy adapts to a task."""

    max_steps: int = 1000
    """Gradient steps for a task, at most."""

    validate_every: int = 250
    """Gradient steps between two validations by rollouts."""

    patience: int = 2
    """Validations in a row at full success after which a task is learned."""

    batch_size: int = 128
    """Frames of the current task in a gradient step."""

    learning_rate: float = 3e-3
    """Peak learning rate of AdamW."""

    weight_decay: float = 1e-3
    """Weight decay of AdamW."""

    average_decay: float = 0.99
    """Decay of the running average of the weights that is validated and kept."""

    log_every: int = 20
    """Gradient steps between two lines of the training loss."""

    save_every: int = 100
    """Gradient steps between two snapshots, from which a killed run goes on."""

    clip_norm: float = 1.0
    """Largest norm of the gradient."""

    auxiliary_weight: float = 1.0
    """Weight of the loss on object and goal positions (simulation only)."""

    shift_pixels: int = 0
    """Largest random shift of the training images, pixels."""

    def __post_init__(self) -> None:
        require_finite(self, "train.")
        counts = (
            "max_steps",
            "validate_every",
            "patience",
            "batch_size",
            "log_every",
            "save_every",
        )
        for item in counts:
            value = getattr(self, item)
            require(value >= 1, f"train.{item.replace('_', '-')}", value, "at least 1")
        for item in ("learning_rate", "clip_norm"):
            value = getattr(self, item)
            require(value > 0, f"train.{item.replace('_', '-')}", value, "greater than 0")
        require(
            0 <= self.average_decay < 1,
            "train.average-decay",
            self.average_decay,
            "at least 0 and less than 1",
        )
        for item in ("weight_decay", "auxiliary_weight", "shift_pixels"):
            value = getattr(self, item)
            require(value >= 0, f"train.{item.replace('_', '-')}", value, "at least 0")


@dataclass(frozen=True)
class ReplayConfig:
    """The replay buffer (strategy `replay`)."""

    memory_mb: float = 64.0
    """Bytes of old tasks' frames that are kept, in units of 10^6 bytes."""

    batch_fraction: float = 0.5
    """Share of replayed frames in a gradient step."""

    def __post_init__(self) -> None:
        require_finite(self, "replay.")
        require(self.memory_mb > 0, "replay.memory-mb", self.memory_mb, "greater than 0")
        require(
            0 < self.batch_fraction < 1,
            "replay.batch-fraction",
            self.batch_fraction,
            "between 0 and 1, both excluded",
        )


@dataclass(frozen=True)
class EwcConfig:
    """Elastic weight consolidation (strategy `ewc`)."""

    strength: float = 1000.0
    """Weight of the quadratic penalty (lambda)."""

    fisher_samples: int = 1024
    """Frames from which the diagonal Fisher information is estimated, one by one."""

    def __post_init__(self) -> None:
        require_finite(self, "ewc.")
        require(self.strength >= 0, "ewc.strength", self.strength, "at least 0")
        require(self.fisher_samples >= 1, "ewc.fisher-samples", self.fisher_samples, "at least 1")


@dataclass(frozen=True)
class StreamConfig:
    """The order of the stream."""

    order_seed: int | None = None
    """Seed of a random order of the tasks; none: the order in which they are named."""

    def __post_init__(self) -> None:
        require(
            self.order_seed is None or self.order_seed >= 0,
            "stream.order-seed",
            self.order_seed,
            "at least 0",
        )


@dataclass(frozen=True)
class RunConfig:
    """Adapt a visual-action policy to a stream of tasks and measure what it forgets."""

    task_stream: TaskStream = ("reach", "push")
    """Tasks in the order in which they are learned, or named streams; see `list-tasks`."""

    strategy: StrategyName = "replay"
    """Continual-learning strategy."""

    seed: int = 0
    """Seed of demonstrations, weights and training."""

    demonstrations: int = 300
    """Demonstration episodes for each task."""

    demonstrations_path: Path | None = None
    """Folder of demonstrations of one's own, `<task>.safetensors`; none: collect them."""

    output_dir: Path | None = None
    """Run folder to make; none: `runs/<date>_<strategy>_<tasks>`."""

    device: DeviceName = "auto"
    """Device of the policy."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    video: int = 0
    """Videos of a success and of a failure that are written for each task, at most."""

    references: bool = False
    """Also make the reference runs that bounds and learning-speed transfer need, or find them."""

    allow_repeats: bool = False
    """Allow a task to come more than once in the stream."""

    logger: LoggerNames = ()
    """Loggers beside metrics.jsonl: tensorboard, wandb, or both, separated by a comma."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    sim: SimConfig = field(default_factory=SimConfig)
    randomise: Randomisation = field(default_factory=Randomisation)
    """Domain randomisation of the demonstrations; tests always have the scenes' own looks."""

    stream: StreamConfig = field(default_factory=StreamConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    collect: CollectConfig = field(default_factory=CollectConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    ewc: EwcConfig = field(default_factory=EwcConfig)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The stream in the order in which it is learned."""
        if self.stream.order_seed is None:
            return self.task_stream
        shuffled = list(self.task_stream)
        random.Random(self.stream.order_seed).shuffle(shuffled)
        return tuple(shuffled)

    @property
    def first_position(self) -> int:
        """Position of the first experience that is trained; `joint` learns all in the last."""
        return len(self.task_stream) - 1 if self.strategy == "joint" else 0

    @property
    def max_steps(self) -> int:
        """Gradient steps of an experience; `joint` has those of all tasks in its only one."""
        return self.train.max_steps * (len(self.task_stream) if self.strategy == "joint" else 1)

    def __post_init__(self) -> None:
        from lam_envs.tasks.importing import import_tasks
        from lam_envs.tasks.registry import nearest

        import_tasks(self.imports)
        self._resolve_stream()
        require(
            len(self.task_stream) >= 1,
            "task-stream",
            ",".join(self.task_stream),
            "one task or more",
        )
        repeated = [name for name in self.task_stream if self.task_stream.count(name) > 1]
        if repeated and not self.allow_repeats:
            raise ConfigError(
                f"task-stream names {repeated[0]!r} more than once; remove it or add "
                "--allow-repeats."
            )
        if self.strategy not in STRATEGIES:
            raise ConfigError(
                f"there is no strategy {self.strategy!r}{nearest(self.strategy, STRATEGIES)}; "
                f"the strategies are {', '.join(STRATEGIES)}."
            )
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        require(self.demonstrations >= 1, "demonstrations", self.demonstrations, "at least 1")
        require(self.threads is None or self.threads >= 1, "threads", self.threads, "at least 1")
        require(self.video >= 0, "video", self.video, "at least 0")
        for name in self.logger:
            if name not in LOGGERS:
                raise ConfigError(
                    f"there is no logger {name!r}{nearest(name, LOGGERS)}; "
                    f"the loggers are {', '.join(LOGGERS)}."
                )

    def _resolve_stream(self) -> None:
        """Put the tasks of named streams into the stream; one that repeats tasks may do so."""
        from lam_envs.streams import has_repeats, resolve_stream

        if any(has_repeats(name) for name in self.task_stream):
            object.__setattr__(self, "allow_repeats", True)
        object.__setattr__(self, "task_stream", resolve_stream(self.task_stream))


def to_plain(value: Any) -> Any:
    """Turn a configuration into dicts, lists, strings and numbers, as YAML and JSON hold them."""
    if hasattr(value, "__dataclass_fields__"):
        return {item.name: to_plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
