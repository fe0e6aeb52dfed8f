"""Whether a policy can learn tasks side by side: what it sees, does and is told."""

from __future__ import annotations

from collections.abc import Iterable

from lam_agent.errors import ConfigError
from lam_agent.policy.instruction import check_distinct
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import ACTION_SIZE


def check_learnable(names: Iterable[str]) -> None:
    """Refuse tasks that a policy cannot learn, or cannot tell apart.

    Args:
        names: Names of the tasks.

    Raises:
        ConfigError: One has other cameras or actions, or two have instructions of the same words.
    """
    tasks = [make_task(name) for name in dict.fromkeys(names)]
    for task in tasks:
        if set(task.cameras) != set(CAMERAS):
            raise ConfigError(
                f"the task {task.name} has the cameras {', '.join(task.cameras) or 'none'}; a "
                f"policy sees {' and '.join(CAMERAS)}, which every scene is given; leave its "
                "cameras as they are."
            )
        if task.action_size != ACTION_SIZE:
            raise ConfigError(
                f"the task {task.name} has actions of {task.action_size} entries; a policy gives "
                f"{ACTION_SIZE}: the hand's displacement and the gripper's effort."
            )
    check_distinct({task.name: task.instruction for task in tasks})
