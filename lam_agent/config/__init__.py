"""Configuration of a run: frozen dataclasses that are checked when they are made.

The docstring under each field is its help on the command line. Nothing here imports torch or
avalanche, so that `--help` is quick.
"""

from lam_agent.config.augmentation import AugmentConfig
from lam_agent.config.checks import MAX_THREADS
from lam_agent.config.options import DeviceName, TaskStream
from lam_agent.config.plain import to_plain
from lam_agent.config.policy import PolicyConfig
from lam_agent.config.run import NUM_DEMONSTRATIONS, RunConfig, StreamConfig
from lam_agent.config.simulation import CollectConfig, EvalConfig, SimConfig
from lam_agent.config.training import (
    ADAPTATION_MODES,
    MAX_PACKS,
    AdaptationConfig,
    EwcConfig,
    L2Config,
    MasConfig,
    MemoryConfig,
    PackNetConfig,
    PretrainingConfig,
    ReplayConfig,
    TrainConfig,
)

__all__ = [
    "ADAPTATION_MODES",
    "MAX_PACKS",
    "MAX_THREADS",
    "NUM_DEMONSTRATIONS",
    "AdaptationConfig",
    "AugmentConfig",
    "CollectConfig",
    "DeviceName",
    "EvalConfig",
    "EwcConfig",
    "L2Config",
    "MasConfig",
    "MemoryConfig",
    "PackNetConfig",
    "PolicyConfig",
    "PretrainingConfig",
    "ReplayConfig",
    "RunConfig",
    "SimConfig",
    "StreamConfig",
    "TaskStream",
    "TrainConfig",
    "to_plain",
]
