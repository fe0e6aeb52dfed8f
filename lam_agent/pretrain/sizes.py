"""Sizes of pretraining by name: `lam-agent pretrain --size lam-small`.

`lam-tiny` is for CPUs and is what the defaults are. `lam-small` is for GPUs: its cameras share a
vision transformer of ViT-S's size. Its settings are those that transformers of this size are
commonly trained with (Touvron et al. 2021, "DeiT", Table 9); this project has not trained it.
"""

from __future__ import annotations

from lam_agent.config import PolicyConfig
from lam_agent.pretrain.config import (
    CloningConfig,
    OptimiserConfig,
    PretrainConfig,
    SelfSupervisedConfig,
)

_SMALL = PolicyConfig(init="none", encoder="vit-small", channels=96, keypoints=64, width=256)

LAM_SMALL = PretrainConfig(
    episodes=200,
    policy=_SMALL,
    self_supervised=SelfSupervisedConfig(steps=10_000, masked=0.0),
    cloning=CloningConfig(steps=60_000, validate_every=10_000),
    optimiser=OptimiserConfig(
        batch_size=512,
        learning_rate=5e-4,
        weight_decay=0.05,
        warmup_steps=1000,
        average_decay=0.9995,
        save_every=1000,
        log_every=100,
    ),
)
"""Settings of `lam-small`."""

SIZES = {"lam-tiny": PretrainConfig(), "lam-small": LAM_SMALL}
"""Name -> settings that flags override."""
