"""The pictures of a LeRobot dataset that are kept as videos, as they are after compression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lam_agent.errors import EpisodeError
from lam_agent.interchange.entries import Array
from lam_agent.interchange.lerobot.format import load_av

_TOLERANCE = 0.25
"""Share of a frame by which a picture may be too early or too late."""


def video_pictures(
    path: Path, key: str, start_s: float, fps: float, frames: Sequence[int], shape: tuple[int, ...]
) -> Array:
    """Return pictures of an episode, of a video that may hold several episodes.

    Args:
        path: The video.
        key: Name of the feature, for the error.
        start_s: When the episode begins in the video.
        fps: Frames a second.
        frames: Which frames of the episode are wanted, in order.
        shape: Shape of a picture, (H, W, 3).

    Returns:
        RGB, shape (len(frames), H, W, 3), uint8.

    Raises:
        MissingExtraError: PyAV is not installed.
        EpisodeError: The video lacks one of them, or has another size.
    """
    pictures = np.empty((len(frames), *shape), np.uint8)
    place_of = {frame: place for place, frame in enumerate(frames)}
    with load_av().open(str(path)) as container:
        stream = container.streams.video[0]
        # Half a frame early, lest rounding leaves the first one out; it goes to a key frame.
        seek_s = max(0.0, start_s + (frames[0] - 0.5) / fps)
        container.seek(int(seek_s / stream.time_base), stream=stream)
        for picture in container.decode(stream):
            time = (picture.time - start_s) * fps  # In frames of the episode.
            if time > frames[-1] + _TOLERANCE:
                break
            place = place_of.get(round(time))
            if place is None or abs(time - round(time)) > _TOLERANCE:
                continue
            if (picture.height, picture.width, 3) != shape:
                raise EpisodeError(
                    f"the video of {key!r} has {picture.height}x{picture.width} pixels; it must "
                    f"have {shape[0]}x{shape[1]}, as the features say; convert it."
                )
            pictures[place] = picture.to_ndarray(format="rgb24")
            del place_of[round(time)]
            if not place_of:
                break
    if place_of:
        raise EpisodeError(
            f"the video of {key!r} has no picture at {start_s + min(place_of) / fps:.4f} s; "
            "download or export the dataset again."
        )
    return pictures
