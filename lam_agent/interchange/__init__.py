"""Demonstrations from and to other programs; `docs/demonstrations.md` has the mapping."""

from lam_agent.interchange.lerobot_export import export_lerobot
from lam_agent.interchange.lerobot_import import import_lerobot
from lam_agent.interchange.lerobot_keys import LeRobotKeys
from lam_agent.interchange.minari_export import export_minari
from lam_agent.interchange.minari_import import import_minari
from lam_agent.interchange.minari_keys import MinariKeys

__all__ = [
    "LeRobotKeys",
    "MinariKeys",
    "export_lerobot",
    "export_minari",
    "import_lerobot",
    "import_minari",
]
