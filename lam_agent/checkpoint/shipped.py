"""Weights that ship with the package, by name."""

from __future__ import annotations

from pathlib import Path

import lam_agent


def shipped_weights() -> dict[str, Path]:
    """Return name -> checkpoint folder of all weights that ship with the package."""
    root = Path(lam_agent.__file__).parent / "weights"
    return {folder.name: folder for folder in sorted(root.glob("*")) if folder.is_dir()}
