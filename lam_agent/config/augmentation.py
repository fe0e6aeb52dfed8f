"""How pictures of the demonstrations are altered, so that the policy holds where scenes differ."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lam_agent.config.checks import require, require_finite
from lam_agent.errors import ConfigError


@dataclass(frozen=True)
class AugmentConfig:
    """Altered copies of the demonstrations' pictures: other colours, other camera poses.

    They take the place of domain randomisation where demonstrations cannot be rendered anew, such
    as those of a robot. The tests of a run see the scenes' own looks.
    """

    copies: int = 0
    """Altered copies of each picture that training draws beside it; 0 for none."""

    colours: float = 1.0
    """How far hue, saturation, gain and offset of each channel vary, 0 to 1."""

    shift: float = 0.06
    """Largest shift of a picture, as a share of its width and height."""

    turn_deg: float = 3.5
    """Largest turn of a picture, degrees."""

    zoom: float = 0.06
    """Largest change of a picture's scale, as a share."""

    def __post_init__(self) -> None:
        prefix = "augment."
        require_finite(self, prefix)
        for name, most in _MOST.items():
            value = getattr(self, name)
            shown = f"{prefix}{name.replace('_', '-')}"
            require(0 <= value <= most, shown, value, f"between 0 and {most:g}")
        usual = {item.name: item.default for item in fields(self)}
        ranges = [name for name in usual if name != "copies"]
        changed = [name for name in ranges if getattr(self, name) != usual[name]]
        if changed and not self.copies:
            name, value = changed[0].replace("_", "-"), getattr(self, changed[0])
            raise ConfigError(
                f"augment.{name} is {value:g}, but there are no altered copies; set "
                "--augment.copies, to 1 perhaps, or leave it away."
            )
        if self.copies and not any(getattr(self, name) for name in ranges):
            raise ConfigError(
                f"augment.copies is {self.copies}, but nothing of them is altered; set one of "
                f"{', '.join(ranges)} above 0, or --augment.copies 0.".replace("_", "-")
            )


_MOST = {"copies": 64, "colours": 1.0, "shift": 0.5, "turn_deg": 180.0, "zoom": 0.5}
"""Largest value of each setting."""
