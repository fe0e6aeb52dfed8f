"""mujoco_warp, imported where its physics is used: it takes two seconds, and a configured Warp."""

import lam_envs.warp_runtime  # noqa: F401, I001 (It configures Warp.)
import mujoco_warp

__all__ = ["mujoco_warp"]
