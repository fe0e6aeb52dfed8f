"""What a frame of an exported LeRobot dataset holds, in the words of LeRobot and of Arrow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lam_agent.episodes import EpisodeSet
from lam_agent.interchange.lerobot.format import (
    ACTION,
    DONE,
    NUM_ACTIONS,
    PICTURES,
    REWARD,
    STATE,
    SUCCESS,
    TRACKED,
    load_arrow,
)
from lam_agent.types import ACTION_NAMES, PROPRIOCEPTION_NAMES, TRACKED_NAMES


@dataclass(frozen=True)
class Feature:
    """A part of every frame.

    Attributes:
        dtype: `image`, or a type of numpy.
        shape: Its shape: (H, W, 3) of a picture, else (width,).
        names: What its entries are.
    """

    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, stored as PNG."""
        return self.dtype == "image"


_COUNTERS = {
    "timestamp": Feature("float32", (1,)),
    "frame_index": Feature("int64", (1,)),
    "episode_index": Feature("int64", (1,)),
    "index": Feature("int64", (1,)),
    "task_index": Feature("int64", (1,)),
}
"""What LeRobot adds to every frame."""


def features_of(episodes: EpisodeSet) -> dict[str, Feature]:
    """Return what the frames of a dataset of such episodes hold."""
    every = episodes.look_every
    names = (
        ACTION_NAMES
        if every == 1
        else tuple(f"{name}_{step}" for step in range(every) for name in ACTION_NAMES)
    )
    features = {
        f"{PICTURES}{camera}": Feature(
            "image", tuple(images.shape[1:]), ("height", "width", "channels")
        )
        for camera, images in episodes.images.items()
    }
    features[STATE] = Feature("float32", (4,), PROPRIOCEPTION_NAMES)
    features[ACTION] = Feature("float32", (4 * every,), names)
    if every > 1:
        features[NUM_ACTIONS] = Feature("int64", (1,))
    if episodes.has_tracked:
        features[TRACKED] = Feature("float32", (6,), TRACKED_NAMES)
    features[REWARD] = Feature("float32", (1,))
    features[DONE] = Feature("bool", (1,))
    features[SUCCESS] = Feature("bool", (1,))
    return features | _COUNTERS


def to_json(features: Mapping[str, Feature]) -> dict[str, Any]:
    """Return the entry `features` of info.json."""
    return {
        key: {
            "dtype": feature.dtype,
            "shape": list(feature.shape),
            "names": list(feature.names) if feature.names else None,
        }
        for key, feature in features.items()
    }


def arrow_schema(features: Mapping[str, Feature]) -> Any:
    """Return the columns of the data files, as Arrow's schema.

    Its metadata tell the library `datasets`, and with it LeRobot's streaming, which columns are
    pictures.
    """
    pa = load_arrow()
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = []
    described: dict[str, dict[str, Any]] = {}
    for key, feature in features.items():
        value = {"dtype": feature.dtype, "_type": "Value"}
        if feature.is_picture:
            fields.append(pa.field(key, picture))
            described[key] = {"_type": "Image"}
            continue
        kind = pa.bool_() if feature.dtype == "bool" else getattr(pa, feature.dtype)()
        width = feature.shape[0]
        if width > 1:
            kind = pa.list_(kind, width)
            described[key] = {"feature": value, "length": width, "_type": "List"}
        else:
            described[key] = value
        fields.append(pa.field(key, kind))
    words = json.dumps({"info": {"features": described}})
    return pa.schema(fields, metadata={"huggingface": words})
