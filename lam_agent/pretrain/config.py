"""Configuration of pretraining. Imports neither torch nor avalanche, so that `--help` is quick."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from lam_agent.config import (
    CollectConfig,
    DeviceName,
    EvalConfig,
    MemoryConfig,
    PolicyConfig,
    RunConfig,
    SimConfig,
    TaskStream,
)
from lam_agent.config.checks import (
    require,
    require_at_least,
    require_decay,
    require_device,
    require_finite,
    require_positive,
    require_threads,
)
from lam_agent.config.options import ModuleNames
from lam_agent.errors import ConfigError
from lam_envs.randomisation.ranges import MODERATE, Randomisation


@dataclass(frozen=True)
class SelfSupervisedConfig:
    """First stage: the encoders alone, from pictures without labels."""

    steps: int = 0
    """Gradient steps; 0 leaves the stage out, of which docs/pretraining.md measured little gain."""

    masked: float = 1.0
    """Weight of restoring masked patches."""

    inverse: float = 1.0
    """Weight of telling from two looks how the hand moved between them."""

    contrast: float = 0.1
    """Weight of telling the next look of the same world from those of others."""

    mask_share: float = 0.5
    """Share of the patches that are masked."""

    def __post_init__(self) -> None:
        require_finite(self, "self-supervised.")
        amounts = ("steps", "masked", "inverse", "contrast")
        require_at_least(0, self, "self-supervised.", *amounts)
        share = self.mask_share
        require(0 < share < 1, "self-supervised.mask-share", share, "between 0 and 1")


@dataclass(frozen=True)
class CloningConfig:
    """Second stage: the whole policy, from the teachers' actions on all tasks."""

    steps: int = 11000
    """Gradient steps; 0 leaves the stage out."""

    auxiliary_weight: float = 1.0
    """Weight of the loss on object and goal positions (simulation only)."""

    validate_every: int = 5500
    """Gradient steps between two validations by rollouts."""

    validation_tasks: int = 8
    """Tasks that are validated, spread over all."""

    validation_episodes: int = 10
    """Validation episodes for each of them."""

    def __post_init__(self) -> None:
        require_finite(self, "cloning.")
        require_at_least(0, self, "cloning.", "steps", "auxiliary_weight")
        counts = ("validate_every", "validation_tasks", "validation_episodes")
        require_at_least(1, self, "cloning.", *counts)


@dataclass(frozen=True)
class OptimiserConfig:
    """How both stages are optimised."""

    batch_size: int = 64
    """Looks in a gradient step, of all processes together."""

    learning_rate: float = 2e-3
    """Peak learning rate of AdamW."""

    weight_decay: float = 1e-3
    """Weight decay of AdamW."""

    warmup_steps: int = 100
    """Gradient steps in which the learning rate rises."""

    average_decay: float = 0.998
    """Decay of the running average of the weights, which is what is saved."""

    clip_norm: float = 1.0
    """Largest norm of the gradient."""

    save_every: int = 200
    """Gradient steps between two snapshots, from which a killed run goes on."""

    log_every: int = 20
    """Gradient steps between two lines of the log."""

    def __post_init__(self) -> None:
        require_finite(self, "optimiser.")
        counts = ("batch_size", "warmup_steps", "save_every", "log_every")
        require_at_least(1, self, "optimiser.", *counts)
        require_positive(self, "optimiser.", "learning_rate", "clip_norm")
        require_decay(self, "optimiser.", "average_decay")
        require_at_least(0, self, "optimiser.", "weight_decay")


TINY = PolicyConfig(init="none", channels=48, keypoints=64, encoder_depth=2, overview=128)
"""Sizes of `lam-tiny`."""

NEARLY_STILL = replace(
    MODERATE,
    colours=0.3,
    textures=0.1,
    light=0.3,
    camera_position_m=0.002,
    camera_angle_deg=0.2,
    table_height_m=0.0,
    roaming_marker=0.6,
)
"""All but where the cameras are: one that is off by 2 degrees sees a thing 5 cm from where it is,
and a policy that learns from such pictures places all things coarsely. Few tasks mark their goal,
and only in a part of the workspace; the roaming marker is all over it."""

_NOISE = CollectConfig(
    noise_std=0.3,
    noisy_fraction=0.7,
    play_fraction=0.2,
    keep_failures=True,  # Play reaches no goal, and its labels are the teacher's.
    steps_after_success=20,
)


@dataclass(frozen=True)
class PretrainConfig:
    """Pretrain a visual-action policy on many tasks, from nothing but this repository."""

    output: Path = Path("runs/pretrain")
    """Folder to make: log, snapshot, and `pretrained_model`, which `--policy.init` takes."""

    resume: bool = False
    """Go on with the run in `output`, which has the same settings."""

    tasks: TaskStream = ("pretrain32",)
    """Tasks and named streams to learn from, separated by commas."""

    episodes: int = 60
    """Episodes for each task, play included."""

    seed: int = 0
    """Seed of episodes, weights and training."""

    device: DeviceName = "auto"
    """Device of the policy."""

    threads: int | None = None
    """CPU threads; none: all cores that this process may use."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""

    randomise: Randomisation = NEARLY_STILL
    """Domain randomisation of all episodes."""

    self_supervised: SelfSupervisedConfig = field(default_factory=SelfSupervisedConfig)
    cloning: CloningConfig = field(default_factory=CloningConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    collect: CollectConfig = _NOISE
    policy: PolicyConfig = TINY
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    """Frames of its tasks that the weights carry; they are of demonstrations in the scenes' own
    looks, which are collected at the end."""

    def __post_init__(self) -> None:
        from lam_agent.modules import import_modules
        from lam_envs.streams.resolve import resolve_stream

        import_modules(self.imports)
        tasks = tuple(dict.fromkeys(resolve_stream(self.tasks)))
        object.__setattr__(self, "tasks", tasks)
        require(len(tasks) >= 1, "tasks", ",".join(tasks), "one task or more")
        require_device(self.device)
        require(self.episodes >= 1, "episodes", self.episodes, "at least 1")
        require(self.seed >= 0, "seed", self.seed, "at least 0")
        require_threads(self.threads)
        self._check_masked()

    def _check_masked(self) -> None:
        """Refuse to hide patches from a backbone, which has no place for a hidden one."""
        first, encoder = self.self_supervised, self.policy.encoder
        if encoder != "points" and first.steps and first.masked:
            raise ConfigError(
                f"self-supervised.masked is {first.masked}, but --policy.encoder {encoder} cannot "
                "restore masked patches; set --self-supervised.masked 0 or --policy.encoder points."
            )

    def demonstrations(self) -> RunConfig:
        """Return what the cache of demonstrations goes by."""
        return RunConfig(
            task_stream=self.tasks,
            seed=self.seed,
            demonstrations=self.episodes,
            device=self.device,
            threads=self.threads,
            imports=self.imports,
            randomise=self.randomise,
            collect=self.collect,
            policy=self.policy,
            eval=EvalConfig(),
        )

    def remembered_episodes(self) -> RunConfig:
        """Return what the policy's own episodes go by of which the weights carry frames."""
        return replace(
            self.demonstrations(),
            memory=self.memory,
            randomise=Randomisation(),
            collect=CollectConfig(cache_dir=self.collect.cache_dir),
            sim=SimConfig(on_unstable="drop"),  # What was trained is not to be lost.
        )
