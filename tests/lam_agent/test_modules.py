"""Modules of others that import Avalanche by themselves."""

import pytest

from lam_agent import modules, torchvision_import
from lam_envs.errors import TaskLoadError


@pytest.mark.parametrize("words", ["operator torchvision::nms does not exist", "division by zero"])
def test_a_module_that_needs_torchvision_is_helped_once(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    calls: list[str] = []

    def import_tasks(names: list[str]) -> None:
        calls.append(f"import {','.join(names)}")
        if "help" not in calls:
            raise TaskLoadError(f"--import mine cannot be loaded: it raises an error ({words}).")

    monkeypatch.setattr(modules, "import_tasks", import_tasks)
    monkeypatch.setattr(torchvision_import, "import_torchvision", lambda: calls.append("help"))
    if "torchvision" in words:
        modules.import_modules(["mine"])
        assert calls == ["import mine", "help", "import mine"]
    else:
        with pytest.raises(TaskLoadError, match="division by zero"):
            modules.import_modules(["mine"])
        assert calls == ["import mine"]
