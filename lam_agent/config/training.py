"""How a policy is trained: what of it, how, and what keeps it from forgetting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from lam_agent.config.checks import (
    require,
    require_at_least,
    require_decay,
    require_finite,
    require_positive,
)
from lam_agent.config.options import TaskStream, one_of

MAX_PACKS = 64
"""Tasks that can have weights of their own (strategy `packnet`)."""

ADAPTATION_MODES = ("full", "trunk", "head", "lora", "adapter")

AdaptationMode = Annotated[str, one_of(("auto", *ADAPTATION_MODES))]
"""An adaptation mode; the configuration names the nearest one like that of a strategy."""


@dataclass(frozen=True)
class AdaptationConfig:
    """What the adaptation modes `lora` and `adapter` add to the policy."""

    rank: int = 8
    """Rank of the factors of `--adapt lora`."""

    bottleneck: int = 16
    """Size of the adapters of `--adapt adapter`."""

    def __post_init__(self) -> None:
        require(self.rank >= 1, "adaptation.rank", self.rank, "at least 1")
        require(self.bottleneck >= 1, "adaptation.bottleneck", self.bottleneck, "at least 1")


@dataclass(frozen=True)
class TrainConfig:
    """How the policy adapts to a task."""

    max_steps: int = 1000
    """Gradient steps for a task, at most."""

    validate_every: int | None = None
    """Gradient steps between two validations by rollouts; none: 250 where encoders are trained,
    else 500."""

    patience: int | None = None
    """Validations in a row at full success after which a task is learned; none: 2 where encoders
    are trained, else 1."""

    batch_size: int | None = None
    """Frames in a batch, replayed ones included; none: 128 where encoders are trained or frames of
    pretraining replayed, else 64, or 96 with replay."""

    accumulate: int = 1
    """Batches of which the mean gradient makes one gradient step."""

    learning_rate: float | None = None
    """Peak learning rate of AdamW; none: 3e-3 with `--adapt full` or `trunk`, else 1e-2."""

    encoder_rate: float = 1.0
    """Factor on the learning rate of the camera encoders (`--adapt full`)."""

    warmup_steps: int = 50
    """Gradient steps of an experience in which the learning rate rises to its peak."""

    weight_decay: float = 1e-3
    """Weight decay of AdamW."""

    dropout: float = 0.0
    """Dropout in the trunk while training."""

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
        require_at_least(1, self, "train.", "max_steps", "accumulate", "log_every", "save_every")
        for name in ("validate_every", "patience", "batch_size"):
            if getattr(self, name) is not None:
                require_at_least(1, self, "train.", name)
        require_positive(self, "train.", "encoder_rate", "clip_norm")
        if self.learning_rate is not None:
            require_positive(self, "train.", "learning_rate")
        require_decay(self, "train.", "average_decay", "dropout")
        amounts = ("weight_decay", "auxiliary_weight", "shift_pixels", "warmup_steps")
        require_at_least(0, self, "train.", *amounts)


@dataclass(frozen=True)
class ReplayConfig:
    """The buffer of old tasks' frames (strategies `replay` and `agem`)."""

    memory_mb: float = 64.0
    """Bytes of old tasks' frames that are kept, in units of 10^6 bytes."""

    batch_fraction: float | None = None
    """Share of old tasks' frames in a gradient step; none: a half where encoders are trained, else
    a third, or a quarter beside frames of pretraining."""

    outputs_weight: float | None = None
    """Weight of a replayed frame's error to what the policy did when it had just learned the task
    (dark experience replay); 0 for none; none: 0 where encoders are trained, else 1."""

    demonstrations_weight: float | None = None
    """Weight of a replayed frame's error to its demonstration; none: a half with outputs, else
    1."""

    store: Literal["images", "features", "auto"] = "auto"
    """What is kept of a picture: itself, or what frozen encoders see; auto: the smaller one."""

    def __post_init__(self) -> None:
        require_finite(self, "replay.")
        require(self.memory_mb > 0, "replay.memory-mb", self.memory_mb, "greater than 0")
        require(
            self.batch_fraction is None or 0 < self.batch_fraction < 1,
            "replay.batch-fraction",
            self.batch_fraction,
            "between 0 and 1, both excluded",
        )
        for name in ("outputs_weight", "demonstrations_weight"):
            if getattr(self, name) is not None:
                require_at_least(0, self, "replay.", name)


@dataclass(frozen=True)
class PretrainingConfig:
    """What the initial weights learned before the stream: measured, and kept by old frames."""

    tasks: TaskStream = ()
    """Tasks or named streams that the initial weights learned; none: those that their checkpoint
    names."""

    measured: TaskStream = ()
    """Those of them whose test success is measured before and after the stream; none: no task."""

    demonstrations: int | None = None
    """Demonstrations of each of them that are collected for the buffer of `replay` or `agem` before
    the stream begins; none: the frames that their checkpoint carries; 0: no frames."""

    fraction: float = 0.25
    """Share of these frames in a gradient step."""

    def __post_init__(self) -> None:
        if self.demonstrations is not None:
            require_at_least(0, self, "pretraining.", "demonstrations")
        require(
            0 < self.fraction < 1,
            "pretraining.fraction",
            self.fraction,
            "between 0 and 1, both excluded",
        )


@dataclass(frozen=True)
class MemoryConfig:
    """The frames that a checkpoint carries of the tasks that its policy can do."""

    frames: int = 128
    """Frames of each task; 0: no memory."""

    episodes: int = 20
    """Episodes of a task that the policy runs, and demonstrations, from which frames are drawn
    where no buffer has some."""

    def __post_init__(self) -> None:
        require_at_least(0, self, "memory.", "frames")
        require_at_least(1, self, "memory.", "episodes")


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
class MasConfig:
    """Memory aware synapses (strategy `mas`)."""

    strength: float = 10.0
    """Weight of the quadratic penalty (lambda)."""

    samples: int = 1024
    """Frames from which the sensitivity of the actions is estimated, one by one."""

    def __post_init__(self) -> None:
        require_finite(self, "mas.")
        require(self.strength >= 0, "mas.strength", self.strength, "at least 0")
        require(self.samples >= 1, "mas.samples", self.samples, "at least 1")


@dataclass(frozen=True)
class L2Config:
    """The same pull on all weights to where they were (strategy `l2`)."""

    strength: float = 0.1
    """Weight of the quadratic penalty (lambda)."""

    def __post_init__(self) -> None:
        require_finite(self, "l2.")
        require(self.strength >= 0, "l2.strength", self.strength, "at least 0")


@dataclass(frozen=True)
class PackNetConfig:
    """Weights of one's own for each task (strategy `packnet`)."""

    share: float = 0.05
    """Share of each tensor that a task takes for itself; their sum is at most 1."""

    dense_fraction: float = 0.25
    """Share of a task's gradient steps before it takes its weights; the rest trains these alone."""

    def __post_init__(self) -> None:
        require_finite(self, "packnet.")
        for name in ("share", "dense_fraction"):
            value, option = getattr(self, name), f"packnet.{name.replace('_', '-')}"
            require(0 < value < 1, option, value, "between 0 and 1, both excluded")
