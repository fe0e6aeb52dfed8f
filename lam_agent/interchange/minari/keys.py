"""Where in a Minari dataset the parts of an EpisodeSet are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lam_agent.interchange.entries import Array, check_camera_keys
from lam_envs.scene import CAMERAS


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
        check_camera_keys(self.cameras)


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
