"""Where in a Minari dataset the parts of an EpisodeSet are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lam_agent.errors import EpisodeError
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import nearest

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MinariKeys:
    """Names of a dataset's entries; `a/b` names the entry `b` inside of `a`.

    Attributes:
        cameras: Camera -> entry of the observations.
        proprioception: Entry of the observations.
        tracked: Entry of the infos, or else of the observations, with object and goal position.
        success: Entry of the infos that is true at some step of an episode that succeeds, or
            `terminations`.
    """

    cameras: Mapping[str, str] = field(
        default_factory=lambda: {camera: camera for camera in CAMERAS}
    )
    proprioception: str = "proprioception"
    tracked: str = "tracked"
    success: str = "is_success"

    def __post_init__(self) -> None:
        if set(self.cameras) != set(CAMERAS):
            raise EpisodeError(
                f"camera-keys names {', '.join(self.cameras) or 'no camera'}; it must name "
                f"{' and '.join(CAMERAS)}, as in {','.join(f'{name}=KEY' for name in CAMERAS)}."
            )


def flatten(tree: object, prefix: str = "") -> dict[str, Array]:
    """Return the arrays of nested dicts and tuples under their joined names, as `images/front`."""
    if isinstance(tree, tuple):
        tree = {str(index): part for index, part in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return {} if tree is None else {prefix.rstrip("/"): np.asarray(tree)}
    return {
        name: array
        for key, value in tree.items()
        for name, array in flatten(value, f"{prefix}{key}/").items()
    }


def entry(arrays: Mapping[str, Array], name: str, kind: str, option: str) -> Array:
    """Return an array by name.

    Args:
        arrays: The flattened observations or infos.
        name: Its name.
        kind: `observations` or `infos`, for the error.
        option: The option that names it, for the error.

    Raises:
        EpisodeError: It is not there; the nearest one is named.
    """
    if name not in arrays:
        raise EpisodeError(
            f"the {kind} have no entry {name!r}{nearest(name, arrays)}; they have "
            f"{', '.join(arrays) or 'none'}; name another by {option}."
        )
    return arrays[name]
