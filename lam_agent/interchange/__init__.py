"""Demonstrations from and to other programs; `docs/demonstrations.md` has the mapping."""

from lam_agent.interchange.lerobot.export import export_lerobot
from lam_agent.interchange.lerobot.keys import LeRobotKeys
from lam_agent.interchange.lerobot.load import import_lerobot
from lam_agent.interchange.minari.export import export_minari
from lam_agent.interchange.minari.keys import MinariKeys
from lam_agent.interchange.minari.load import import_minari

__all__ = [
    "LeRobotKeys",
    "MinariKeys",
    "export_lerobot",
    "export_minari",
    "import_lerobot",
    "import_minari",
]
