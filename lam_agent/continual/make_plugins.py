"""From a configuration to the plugins of its strategy."""

from __future__ import annotations

from functools import partial
from typing import Any

from lam_agent.config import RunConfig
from lam_agent.continual.agem import AGemPlugin
from lam_agent.continual.importance import diagonal_fisher, equal_importance, output_sensitivity
from lam_agent.continual.own_plugins import own_plugins
from lam_agent.continual.packnet import PackNetPlugin
from lam_agent.continual.penalty import PenaltyPlugin
from lam_agent.continual.replay import CumulativePlugin, ReplayBuffer, ReplayPlugin


def make_plugins(config: RunConfig) -> list[Any]:
    """Return the plugins of the strategy that a configuration names.

    Raises:
        StrategyLoadError: It is of others and cannot be made.
    """
    match config.strategy:
        case "naive":
            return []
        case "replay":
            before, keeps_outputs = config.pretraining.fraction, config.outputs_weight > 0
            return [
                ReplayPlugin(
                    *_memory(config), keeps_outputs=keeps_outputs, pretraining_fraction=before
                )
            ]
        case "agem":
            return [AGemPlugin(*_memory(config), pretraining_fraction=config.pretraining.fraction)]
        case "packnet":
            return [PackNetPlugin(config.packnet.share, config.dense_steps)]
        case "ewc" | "mas" | "l2":
            return [_penalty(config)]
        case "cumulative" | "joint":
            return [CumulativePlugin()]
        case _:
            return own_plugins(config)


def _memory(config: RunConfig) -> tuple[ReplayBuffer, float, bool]:
    """Return the buffer of old tasks' frames, their share of a batch, and what it keeps."""
    buffer = ReplayBuffer(int(config.replay.memory_mb * 1e6))
    return buffer, config.replayed_fraction, config.replays_features


def _penalty(config: RunConfig) -> PenaltyPlugin:
    """Return the quadratic penalty of a strategy."""
    name, ewc, mas = config.strategy, config.ewc, config.mas
    if name == "ewc":
        fisher = partial(diagonal_fisher, num_samples=ewc.fisher_samples)
        return PenaltyPlugin(name, ewc.strength, fisher)
    if name == "mas":
        sensitivity = partial(output_sensitivity, num_samples=mas.samples)
        return PenaltyPlugin(name, mas.strength, sensitivity)
    return PenaltyPlugin(name, config.l2.strength, lambda policy, *_: equal_importance(policy))
