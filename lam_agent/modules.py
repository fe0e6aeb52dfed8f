"""Modules of others (`--import`), which register tasks and strategies."""

from __future__ import annotations

from collections.abc import Sequence

from lam_envs.errors import TaskLoadError
from lam_envs.tasks.importing import import_tasks


def import_modules(modules: Sequence[str]) -> None:
    """Import modules that register tasks or strategies.

    One that imports Avalanche by itself needs torchvision, which may need help beside a CPU build
    of torch.

    Args:
        modules: Names of the modules.

    Raises:
        TaskLoadError: A module is missing or fails.
    """
    try:
        import_tasks(modules)
    except TaskLoadError as error:
        if "torchvision::" not in str(error):
            raise
        from lam_agent.torchvision_import import import_torchvision

        import_torchvision()
        import_tasks(modules)
