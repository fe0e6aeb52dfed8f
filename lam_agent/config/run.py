"""The configuration of a run."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from lam_agent.config.augmentation import AugmentConfig
from lam_agent.config.checks import (
    MAX_THREADS,
    require,
    require_countable,
    require_device,
    require_threads,
)
from lam_agent.config.options import DeviceName, ModuleNames, TaskStream, comma_list, one_of
from lam_agent.config.policy import PolicyConfig
from lam_agent.config.simulation import CollectConfig, EvalConfig, SimConfig
from lam_agent.config.training import (
    ADAPTATION_MODES,
    MAX_PACKS,
    AdaptationConfig,
    AdaptationMode,
    EwcConfig,
    L2Config,
    MasConfig,
    MemoryConfig,
    PackNetConfig,
    PretrainingConfig,
    ReplayConfig,
    TrainConfig,
)
from lam_agent.errors import ConfigError
from lam_agent.modules import import_modules
from lam_agent.strategies import BUILT_IN, check_strategy_name
from lam_envs.names import has_repeats
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.streams.resolve import resolve_stream
from lam_envs.words import nearest

LOGGERS = ("tensorboard", "wandb")

LoggerNames = Annotated[tuple[str, ...], comma_list("LOGGER,…", is_distinct=True)]
"""Loggers that the command line separates by commas."""

StrategyName = Annotated[str, one_of(BUILT_IN)]
"""A strategy; the configuration names the nearest one where there is none of that name."""

NUM_DEMONSTRATIONS = 50
"""Demonstrations that are collected of a task where no number is asked for."""


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

    adapt: AdaptationMode = "auto"
    """What of the policy is trained; auto: trunk, or full from random weights."""

    seed: int = 0
    """Seed of demonstrations, weights and training."""

    demonstrations: int | None = None
    """Demonstration episodes for each task; none: 50, or all of one's own."""

    demonstrations_path: Path | None = None
    """Folder of demonstrations of one's own, `<task>.safetensors`; none: collect them."""

    output_dir: Path | None = None
    """Run folder to make; none: `runs/<date>_<strategy>_<tasks>`."""

    device: DeviceName = "auto"
    """Device of the policy; `auto` is a GPU where there is one."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    workers: int | None = None
    """Processes of a CPU thread each that measure test success while the policy is trained; none:
    half of the threads where a stream's evaluation is long, at most one a task, else 0."""

    video: int = 0
    """Videos of a success and of a failure that are written for each task, at most."""

    references: bool = False
    """Also make the reference runs that bounds and learning-speed transfer need, or find them."""

    allow_repeats: bool = False
    """Allow a task to come more than once in the stream."""

    logger: LoggerNames = ()
    """Loggers beside metrics.jsonl: tensorboard, wandb, or both, separated by a comma."""

    imports: ModuleNames = ()
    """Modules that register tasks or strategies of one's own; the flag may be given several
    times."""

    sim: SimConfig = field(default_factory=SimConfig)
    randomise: Randomisation = field(default_factory=Randomisation)
    """Domain randomisation of the demonstrations; tests always have the scenes' own looks."""

    stream: StreamConfig = field(default_factory=StreamConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    collect: CollectConfig = field(default_factory=CollectConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    ewc: EwcConfig = field(default_factory=EwcConfig)
    mas: MasConfig = field(default_factory=MasConfig)
    l2: L2Config = field(default_factory=L2Config)
    packnet: PackNetConfig = field(default_factory=PackNetConfig)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The stream in the order in which it is learned."""
        if self.stream.order_seed is None:
            return self.task_stream
        shuffled = list(self.task_stream)
        random.Random(self.stream.order_seed).shuffle(shuffled)
        return tuple(shuffled)

    @property
    def num_demonstrations(self) -> int:
        """Demonstrations that are collected of a task."""
        return self.demonstrations or NUM_DEMONSTRATIONS

    @property
    def first_position(self) -> int:
        """Position of the first experience that is trained; `joint` learns all in the last."""
        return len(self.task_stream) - 1 if self.strategy == "joint" else 0

    @property
    def max_steps(self) -> int:
        """Gradient steps of an experience; `joint` has those of all tasks in its only one."""
        return self.train.max_steps * (len(self.task_stream) if self.strategy == "joint" else 1)

    @property
    def batch_size(self) -> int:
        """Frames in a batch of training."""
        if self.train.batch_size is not None:
            return self.train.batch_size
        if not self.is_encoder_frozen:
            return 128
        # 64 of the new task, each way.
        if self.keeps_pretraining:
            return 128
        return 96 if self.strategy in ("replay", "agem") else 64

    @property
    def validate_every(self) -> int:
        """Gradient steps between two validations: where steps are cheap, validations are dear."""
        return self.train.validate_every or (500 if self.is_encoder_frozen else 250)

    @property
    def patience(self) -> int:
        """Validations in a row at full success after which a task is learned."""
        return self.train.patience or (1 if self.is_encoder_frozen else 2)

    @property
    def replayed_fraction(self) -> float:
        """Share of replayed frames in a batch of training."""
        if self.replay.batch_fraction is not None:
            return self.replay.batch_fraction
        if self.keeps_pretraining:
            return 0.25
        return 1 / 3 if self.is_encoder_frozen else 0.5

    @property
    def keeps_pretraining(self) -> bool:
        """Whether frames of the tasks that the initial weights learned are replayed."""
        if self.strategy not in ("replay", "agem"):
            return False
        if self.pretraining.demonstrations is None:
            return self.is_encoder_frozen and self.starts_from_a_policy
        return self.pretraining.demonstrations > 0

    @property
    def starts_from_a_policy(self) -> bool:
        """Whether the policy before the stream can do tasks already."""
        return self.policy.init != "none" and self.policy.init_part == "all"

    @property
    def outputs_weight(self) -> float:
        """Weight of a replayed frame's error to what the policy once did."""
        asked = self.replay.outputs_weight
        return float(self.is_encoder_frozen) if asked is None else asked

    @property
    def demonstrations_weight(self) -> float:
        """Weight of a replayed frame's error to its demonstration."""
        asked = self.replay.demonstrations_weight
        return (0.5 if self.outputs_weight > 0 else 1.0) if asked is None else asked

    @property
    def dense_steps(self) -> int:
        """Gradient steps of an experience before a task takes weights of its own; 0 elsewhere."""
        if self.strategy != "packnet":
            return 0
        return max(1, round(self.packnet.dense_fraction * self.max_steps))

    @property
    def learning_rate(self) -> float:
        """Peak learning rate of training."""
        return self.train.learning_rate or (3e-3 if self.adapt in ("full", "trunk") else 1e-2)

    @property
    def is_encoder_frozen(self) -> bool:
        """Whether the camera encoders stay as they are, so that pictures are encoded once."""
        return self.adapt != "full"

    @property
    def replays_features(self) -> bool:
        """Whether the replay buffer holds what the encoders saw in place of pictures."""
        store = self.replay.store
        return self.is_encoder_frozen if store == "auto" else store == "features"

    def __post_init__(self) -> None:
        import_modules(self.imports)
        require_device(self.device)
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
        check_strategy_name(self.strategy)
        self._check_adaptation()
        self._check_packnet()
        self._check_pretraining()
        require_countable(self)
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        if self.demonstrations is not None:
            require(self.demonstrations >= 1, "demonstrations", self.demonstrations, "at least 1")
        elif self.demonstrations_path is None:
            object.__setattr__(self, "demonstrations", NUM_DEMONSTRATIONS)
        require_threads(self.threads)
        workers_ok = self.workers is None or 0 <= self.workers <= MAX_THREADS
        require(workers_ok, "workers", self.workers, f"between 0 and {MAX_THREADS}")
        require(self.video >= 0, "video", self.video, "at least 0")
        for name in self.logger:
            if name not in LOGGERS:
                raise ConfigError(
                    f"there is no logger {name!r}{nearest(name, LOGGERS)}; "
                    f"the loggers are {', '.join(LOGGERS)}."
                )

    def _check_adaptation(self) -> None:
        """Refuse what does not go with the adaptation mode; `adapter` gives the policy adapters."""
        if self.adapt == "auto":
            is_random = self.policy.init == "none"
            object.__setattr__(self, "adapt", "full" if is_random else "trunk")
        if self.adapt not in ADAPTATION_MODES:
            raise ConfigError(
                f"there is no adaptation mode {self.adapt!r}"
                f"{nearest(self.adapt, ADAPTATION_MODES)}; "
                f"the modes are {', '.join(ADAPTATION_MODES)}."
            )
        if self.is_encoder_frozen and self.train.shift_pixels:
            raise ConfigError(
                f"train.shift-pixels is {self.train.shift_pixels}, but --adapt {self.adapt} "
                "encodes each picture once, as it is; set --train.shift-pixels 0 or --adapt full."
            )
        if self.replay.store == "features" and not self.is_encoder_frozen:
            raise ConfigError(
                "replay.store is 'features', but --adapt full trains the encoders, which then see "
                "otherwise; set --replay.store images or another --adapt."
            )
        weight = self.replay.demonstrations_weight
        if weight is not None and self.outputs_weight == 0:
            raise ConfigError(
                f"replay.demonstrations-weight is {weight}, but replay.outputs-weight is 0, and a "
                "replayed frame that is held to its demonstration alone weighs what others do; "
                "leave it away or set --replay.outputs-weight."
            )
        if self.adapt == "adapter":
            sizes = replace(self.policy, adapter_size=self.adaptation.bottleneck)
            object.__setattr__(self, "policy", sizes)

    def _check_packnet(self) -> None:
        """Refuse what tasks with weights of their own cannot have; make room for these."""
        if self.strategy != "packnet":  # A configuration file may be of a run with packnet.
            object.__setattr__(self, "policy", replace(self.policy, packed="none"))
            return
        if self.adapt == "lora":
            modes = ", ".join(mode for mode in ADAPTATION_MODES if mode != "lora")
            raise ConfigError(
                "strategy packnet does not go with --adapt lora, whose factors are part of all "
                f"weights; set --adapt to one of {modes}."
            )
        room = math.floor(1 / self.packnet.share + 1e-6)
        if len(self.task_stream) > min(room, MAX_PACKS):
            most = 1 / len(self.task_stream)
            hint = (
                f"set --packnet.share {math.floor(1e4 * most) / 1e4:g} or less"
                if len(self.task_stream) <= MAX_PACKS
                else f"packnet can have {MAX_PACKS}, so shorten the stream"
            )
            raise ConfigError(
                f"packnet.share is {self.packnet.share:g}, which is room for {room} tasks, but the "
                f"stream has {len(self.task_stream)}; {hint}."
            )
        packed: Any = self.adapt  # `lora` is the only mode that is none of these.
        object.__setattr__(self, "policy", replace(self.policy, packed=packed))

    def _check_pretraining(self) -> None:
        """Put the tasks of named streams where their names stand; refuse what cannot be kept."""
        asked = self.pretraining
        tasks, measured = (
            tuple(dict.fromkeys(resolve_stream(names))) for names in (asked.tasks, asked.measured)
        )
        kept = replace(asked, tasks=tasks, measured=measured)
        object.__setattr__(self, "pretraining", kept)
        is_asked = asked.tasks or asked.measured or asked.demonstrations
        if is_asked and not self.starts_from_a_policy:
            taken = "random" if self.policy.init == "none" else "of the encoders alone"
            raise ConfigError(
                f"--pretraining.* tells of tasks that the initial weights learned, but these are "
                f"{taken} and can do none; leave it away, or start from all of a checkpoint "
                "(--policy.init)."
            )
        shares = self.replayed_fraction + asked.fraction
        if self.keeps_pretraining and shares >= 1:
            raise ConfigError(
                f"replay.batch-fraction and pretraining.fraction add up to {shares:g}; they must "
                "be less than 1 together, because the new task has the rest."
            )

    def _resolve_stream(self) -> None:
        """Put the tasks of named streams into the stream; one that repeats tasks may do so."""
        if any(has_repeats(name) for name in self.task_stream):
            object.__setattr__(self, "allow_repeats", True)
        object.__setattr__(self, "task_stream", resolve_stream(self.task_stream))
