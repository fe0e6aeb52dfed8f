"""lam_envs: Meta-World v3 tasks, batched, with cameras, for torch and Gymnasium.

Importing it registers the Gymnasium ids, such as `lam/Push-v0`, and loads neither torch nor MuJoCo.
"""

from lam_envs.registration import register_env
from lam_envs.tasks.registry import task_names

__all__ = ["register_envs"]


def register_envs() -> None:
    """Register the Gymnasium id of every task that has none yet."""
    for task in task_names():
        register_env(task)


register_envs()
