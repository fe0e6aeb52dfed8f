"""Read a configuration from YAML, with the nearest name for each unknown key."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from lam_agent.config import RunConfig
from lam_agent.config.options import split_commas
from lam_agent.errors import ConfigError
from lam_envs.words import nearest


def read_config(path: Path) -> RunConfig:
    """Read the configuration of a run.

    Args:
        path: A YAML file, such as the `config.yaml` of a run folder.

    Raises:
        ConfigError: The file is missing, no YAML, or holds an unknown key or a wrong value.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"the config file {path} cannot be read ({error.strerror}); name a YAML file."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).replace("\n", " ")
        raise ConfigError(f"the config file {path} is no YAML ({reason}); mend it.") from error
    return config_from_plain({} if data is None else data, str(path))


def config_from_plain(data: Any, source: str) -> RunConfig:
    """Undo `to_plain` of a configuration; what is left away has its default.

    Args:
        data: Names and values, as YAML and JSON hold them.
        source: What they are called in errors.

    Raises:
        ConfigError: They hold an unknown key or a wrong value.
    """
    known = _known(data, RunConfig, source, "")
    try:
        return TypeAdapter(RunConfig).validate_python(known)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        prefix = f"{key} is {first['input']!r}: " if key else ""
        raise ConfigError(f"{source}: {prefix}{message.rstrip('.')}.") from error


def _known(data: Any, kind: type, path: str, prefix: str) -> dict[str, Any]:
    """Return names and values, lists that commas separate as lists; refuse unknown names."""
    if not isinstance(data, dict):
        where = prefix.rstrip(".") or "the file"
        raise ConfigError(f"{path}: {where} is {data!r}; it must hold names and values.")
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    known: dict[str, Any] = {}
    for key, value in data.items():
        if key not in names:
            raise ConfigError(
                f"{path}: there is no setting {prefix}{key}{nearest(str(key), names)}; "
                f"the settings there are {', '.join(names)}."
            )
        hint = hints[key]
        if is_dataclass(hint) and isinstance(hint, type):
            known[key] = _known(value, hint, path, f"{prefix}{key}.")
        elif isinstance(value, str) and get_origin(hint) is tuple:
            known[key] = split_commas(value)  # As on the command line.
        else:
            known[key] = value
    return known
