"""Where in a LeRobot dataset the parts of an EpisodeSet are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lam_agent.interchange.entries import check_camera_keys
from lam_agent.interchange.lerobot.format import ACTION, PICTURES, STATE, SUCCESS, TRACKED
from lam_envs.scene import CAMERAS

ALWAYS = "always"
"""In place of a success key: every episode succeeds."""


@dataclass(frozen=True)
class LeRobotKeys:
    """Names of a dataset's features.

    Attributes:
        cameras: Camera -> feature with its pictures or video.
        action: Feature with an action, or a chunk of them.
        state: Feature with hand position and gripper opening.
        tracked: Feature with object and goal position.
        success: Feature that is true at some frame of an episode that succeeds, or `always`.
    """

    cameras: Mapping[str, str] = field(
        default_factory=lambda: {camera: f"{PICTURES}{camera}" for camera in CAMERAS}
    )
    action: str = ACTION
    state: str = STATE
    tracked: str = TRACKED
    success: str = SUCCESS

    def __post_init__(self) -> None:
        check_camera_keys(self.cameras)
