"""lam_envs: Meta-World v3 tasks, batched, with cameras, for torch and Gymnasium.

Importing it registers the Gymnasium ids, such as `lam/Push-v0`, and loads neither torch nor MuJoCo.
"""

from lam_envs.registration import register_envs

__all__ = ["register_envs"]

register_envs()
