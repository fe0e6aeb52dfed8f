"""The folder of a pretraining run: settings, log, snapshot, weights."""

from __future__ import annotations

from dataclasses import replace

import yaml

from lam_agent.config import to_plain
from lam_agent.errors import ConfigError, RunFolderError
from lam_agent.files import write_text_atomically
from lam_agent.pretrain.config import PretrainConfig

_MAY_CHANGE = ("output", "resume", "device", "threads", "memory", "imports")


class PretrainFolder:
    """Where a pretraining run writes.

    Args:
        config: The settings.

    Raises:
        RunFolderError: There is a run already, or none to go on with.
        ConfigError: The run to go on with has other settings.
    """

    def __init__(self, config: PretrainConfig) -> None:
        self.path = config.output
        self.settings = self.path / "config.yaml"
        self.metrics = self.path / "metrics.jsonl"
        self.weights = self.path / "pretrained_model"
        if config.resume:
            self._check_same(config)
        elif self.path.exists() and any(self.path.iterdir()):
            raise RunFolderError(
                f"{self.path} is not empty; go on with it by --resume, or name another folder in "
                "--output."
            )

    def begin(self, config: PretrainConfig) -> None:
        """Make the folder and write the settings."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.settings.exists():
            write_text_atomically(self.settings, _dump(config))

    def _check_same(self, config: PretrainConfig) -> None:
        if not self.settings.is_file():
            raise RunFolderError(
                f"{self.path} is no pretraining run: it has no config.yaml; name the folder of one "
                "in --output, or leave --resume away."
            )
        try:
            before = yaml.safe_load(self.settings.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict):
            raise RunFolderError(
                f"{self.settings} is damaged: it holds no settings; put it back or start a new run."
            )
        now = yaml.safe_load(_dump(config))
        for name, value in now.items():
            if name not in _MAY_CHANGE and before.get(name) != value:
                raise ConfigError(
                    f"--resume cannot change {name.replace('_', '-')} from {before.get(name)!r} to "
                    f"{value!r}; leave the flag away or start a new run."
                )


def _dump(config: PretrainConfig) -> str:
    text: str = yaml.safe_dump(to_plain(replace(config, resume=False)), sort_keys=False)
    return text
