"""How far each thing is randomised. Loads neither torch nor MuJoCo: configurations hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from lam_envs.errors import InvalidSettingError
from lam_envs.words import nearest

_MOST = {
    "colours": 1.0,
    "textures": 1.0,
    "light": 1.0,
    "camera_position_m": 10.0,
    "camera_angle_deg": 180.0,
    "friction": 100.0,
    "mass": 100.0,
    "table_height_m": 1.0,
    "roaming_marker": 1.0,
}
"""Largest value of each setting."""


@dataclass(frozen=True)
class Randomisation:
    """Domain randomisation (Tobin et al. 2017, https://arxiv.org/abs/1703.06907); 0 is off.

    Every episode draws anew, from the seed of its start; the start state itself does not depend on
    the settings. The green goal marker keeps its look: it is part of the task.
    """

    colours: float = 0.0
    """Share of each colour that is drawn anew, 0 to 1; what had one colour keeps one."""

    textures: float = 0.0
    """Probability that things of one colour get a pattern of two, 0 to 1."""

    light: float = 0.0
    """How much the light's strength, tint and direction vary, 0 to 1."""

    camera_position_m: float = 0.0
    """Largest shift of each camera along each of its axes, metres."""

    camera_angle_deg: float = 0.0
    """Largest turn of each camera about each of its axes, degrees."""

    friction: float = 0.0
    """Friction is scaled by a factor between 1 / (1 + x) and 1 + x."""

    mass: float = 0.0
    """The mass of what is no part of the robot is scaled by a factor as friction is."""

    table_height_m: float = 0.0
    """Largest change of the height of the table and all on it over the robot's foot, metres."""

    roaming_marker: float = 0.0
    """Share of the episodes of tasks without a marked goal in which the green marker roams about,
    and demonstrations say where it is in place of the goal, 0 to 1; for pretraining."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and 0.0 <= value <= _MOST[item.name]):  # NaN is not.
                name = item.name.replace("_", "-")
                raise InvalidSettingError(
                    f"randomise.{name} is {value!r}; it must be between 0 and {_MOST[item.name]:g}."
                )

    @property
    def changes_physics(self) -> bool:
        """Whether worlds differ in more than what the cameras see."""
        return max(self.friction, self.mass, self.table_height_m) > 0.0

    @property
    def is_on(self) -> bool:
        """Whether anything is randomised."""
        return any(getattr(self, item.name) > 0.0 for item in fields(self))


MODERATE = Randomisation(
    colours=0.5,
    textures=0.3,
    light=0.5,
    camera_position_m=0.02,
    camera_angle_deg=2.0,
    friction=0.3,
    mass=0.5,
    table_height_m=0.02,
)
"""Everything at once, as far as scripted experts still solve their tasks."""


def randomisation_of(given: Randomisation | Mapping[str, float] | None) -> Randomisation | None:
    """Return the randomisation that was given, or that a mapping, such as JSON holds, says.

    Raises:
        InvalidSettingError: It is something else, or names a setting that there is not.
    """
    if given is None or isinstance(given, Randomisation):
        return given
    if not isinstance(given, Mapping):
        raise InvalidSettingError(
            f"randomisation is {given!r}; it must be a Randomisation, a mapping of its settings, "
            "or None."
        )
    for name in given:
        if name not in _MOST:
            raise InvalidSettingError(
                f"there is no setting {name!r} of randomisation{nearest(str(name), _MOST)}; the "
                f"settings are {', '.join(_MOST)}."
            )
    return Randomisation(**given)
