"""Demonstrations from and to other programs; `docs/demonstrations.md` has the mapping."""

from lam_agent.interchange.minari_export import export_minari
from lam_agent.interchange.minari_import import import_minari
from lam_agent.interchange.minari_keys import MinariKeys

__all__ = ["MinariKeys", "export_minari", "import_minari"]
