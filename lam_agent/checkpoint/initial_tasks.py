"""Which tasks the initial weights of a run learned: those that their checkpoint names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lam_agent.checkpoint.contract import read_contract
from lam_agent.checkpoint.memory import has_memory
from lam_agent.checkpoint.verification import resolve_checkpoint
from lam_agent.config import PolicyConfig, PretrainingConfig, RunConfig
from lam_agent.errors import ConfigError
from lam_envs.tasks.registry import make_task, task_names
from lam_envs.words import nearest


def check_measured(asked: PretrainingConfig, policy: PolicyConfig) -> None:
    """Refuse to measure tasks that the initial weights did not learn.

    Args:
        asked: What the run does for what its initial weights learned.
        policy: Names the initial weights.

    Raises:
        ConfigError: One of them was not learned.
        CheckpointError: There is no such checkpoint.
    """
    if not asked.measured:
        return
    learned = _learned_tasks(asked, policy)
    for name in asked.measured:
        if name not in learned:
            raise ConfigError(
                f"pretraining.measured names {name!r}, which {policy.init} did not learn"
                f"{nearest(name, learned)}; it learned {', '.join(learned)}; others can be named "
                "by --pretraining.tasks."
            )


def collected_tasks(asked: PretrainingConfig, policy: PolicyConfig) -> tuple[str, ...]:
    """Return the tasks of which demonstrations are collected to keep them; none by default.

    Args:
        asked: What the run does for what its initial weights learned.
        policy: Names the initial weights.

    Raises:
        ConfigError: One that was learned is no task here.
        CheckpointError: There is no such checkpoint.
    """
    if not asked.demonstrations:
        return ()
    learned, known = _learned_tasks(asked, policy), task_names()
    for name in learned:
        if name not in known:
            raise ConfigError(
                f"{policy.init} learned {name!r}, which is no task here and cannot be collected; "
                "register it by --import, or name the tasks to keep by --pretraining.tasks."
            )
    return learned


def fitted_pretraining(asked: PretrainingConfig, policy: PolicyConfig) -> PretrainingConfig:
    """Return the settings with no frames where the checkpoint's are asked for and it has none."""
    if asked.demonstrations is not None or policy.init == "none":
        return asked
    is_there = has_memory(resolve_checkpoint(Path(policy.init)))
    return asked if is_there else replace(asked, demonstrations=0)


def remembered_instructions(config: RunConfig) -> dict[str, str]:
    """Return task -> instruction, for the tasks from before the stream whose frames are replayed.

    Args:
        config: The run's configuration.
    """
    if not config.keeps_pretraining:
        return {}
    if config.pretraining.demonstrations is None:
        return dict(read_contract(resolve_checkpoint(Path(config.policy.init))).remembered)
    tasks = collected_tasks(config.pretraining, config.policy)
    return {task: make_task(task).instruction for task in tasks}


def _learned_tasks(asked: PretrainingConfig, policy: PolicyConfig) -> tuple[str, ...]:
    """Return the tasks that the initial weights learned, as the run or their checkpoint says."""
    return asked.tasks or tuple(read_contract(resolve_checkpoint(Path(policy.init))).known)
