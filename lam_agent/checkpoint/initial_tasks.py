"""Which tasks the initial weights of a run learned: those that their checkpoint names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lam_agent.checkpoint.contract import read_contract
from lam_agent.checkpoint.memory import has_memory
from lam_agent.checkpoint.verification import resolve_checkpoint
from lam_agent.config import PolicyConfig, PretrainingConfig, RunConfig
from lam_agent.errors import ConfigError
from lam_envs.tasks.registry import make_task, nearest, task_names


def initial_tasks(asked: PretrainingConfig, policy: PolicyConfig) -> tuple[str, ...]:
    """Return the tasks that are to be kept or measured.

    Args:
        asked: What the run does for what its initial weights learned.
        policy: Names the initial weights.

    Returns:
        Those whose frames are replayed, or else those that are measured; none where neither is
        asked for.

    Raises:
        ConfigError: One that is measured was not learned, or one that was learned is no task here.
        CheckpointError: There is no such checkpoint.
    """
    if not (asked.measured or asked.demonstrations):
        return ()
    folder = resolve_checkpoint(Path(policy.init))
    learned = asked.tasks or tuple(read_contract(folder).known)
    for name in asked.measured:
        if name not in learned:
            raise ConfigError(
                f"pretraining.measured names {name!r}, which {policy.init} did not learn"
                f"{nearest(name, learned)}; it learned {', '.join(learned)}; others can be named "
                "by --pretraining.tasks."
            )
    if not asked.demonstrations:
        return asked.measured
    _check_known(learned, policy.init)
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
    tasks = initial_tasks(config.pretraining, config.policy)
    return {task: make_task(task).instruction for task in tasks}


def _check_known(learned: Sequence[str], source: str) -> None:
    """Refuse a task that cannot be collected."""
    known = task_names()
    for name in learned:
        if name not in known:
            raise ConfigError(
                f"{source} learned {name!r}, which is no task here and cannot be collected; "
                "register it by --import, or name the tasks to keep by --pretraining.tasks."
            )
