"""What the files `meta/…` of a LeRobot dataset say: rate, features, instructions, episodes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lam_agent.errors import EpisodeError
from lam_agent.interchange.lerobot.format import (
    EPISODES,
    FORMAT,
    INFO,
    ORIGIN,
    TASKS,
    load_arrow,
    reading,
)
from lam_agent.interchange.origin import check_origin


@dataclass(frozen=True)
class LeRobotDataset:
    """A dataset in a folder of this machine.

    Attributes:
        folder: Its folder.
        fps: Frames a second.
        features: Name -> what LeRobot says of it: `dtype`, `shape`, `names`.
        instructions: What episodes follow, without repetition.
        episodes: For each episode, in order, its row of `meta/episodes`.
        origin: What an export of lam_agent said; empty for a dataset of other origin.
        data_path: Where the frames are, with `chunk_index` and `file_index` to fill in.
        video_path: Where videos are, with `video_key`, too; None if there are none.
    """

    folder: Path
    fps: float
    features: Mapping[str, Mapping[str, Any]]
    instructions: tuple[str, ...]
    episodes: tuple[Mapping[str, Any], ...]
    origin: Mapping[str, Any]
    data_path: str
    video_path: str | None

    def data_file(self, episode: Mapping[str, Any]) -> Path:
        """Return the file with an episode's frames."""
        with reading(INFO):
            return self.folder / self.data_path.format(
                chunk_index=episode["data/chunk_index"], file_index=episode["data/file_index"]
            )

    def video_file(self, episode: Mapping[str, Any], key: str) -> Path:
        """Return the file with an episode's video of a camera."""
        with reading(INFO):
            return self.folder / str(self.video_path).format(
                video_key=key,
                chunk_index=episode[f"videos/{key}/chunk_index"],
                file_index=episode[f"videos/{key}/file_index"],
            )


def check_is_dataset(folder: Path) -> None:
    """Refuse a folder that holds no dataset; nothing is downloaded.

    Raises:
        MissingExtraError: pyarrow is not installed.
        EpisodeError: Naming the folder.
    """
    load_arrow()
    if not (folder / INFO).is_file():
        raise EpisodeError(
            f"there is no LeRobot dataset in {folder}, which must hold {INFO}; name the folder of "
            "one that is on this machine."
        )


def open_dataset(folder: Path) -> LeRobotDataset:
    """Read what a dataset's folder says of it.

    Raises:
        EpisodeError: It is damaged or of another format.
    """
    info = _read_json(folder, INFO)
    version = info.get("codebase_version")
    if version != FORMAT:
        raise EpisodeError(
            f"its format is {version}; this version reads {FORMAT}; convert it by LeRobot's script "
            "convert_dataset_v21_to_v30, or update lam_agent."
        )
    fps, features = info.get("fps"), info.get("features") or {}
    is_rate = isinstance(fps, int | float) and math.isfinite(fps) and fps > 0
    if fps is None or not is_rate or not _are_features(features) or "data_path" not in info:
        raise EpisodeError(
            f"its {INFO} does not say fps, data_path and features with dtype and shape; "
            "download or export it again."
        )
    with reading(TASKS):
        tasks = load_arrow().parquet.read_table(folder / TASKS)
        (name,) = set(tasks.column_names) - {"task_index"}
        instructions = tuple(map(str, tasks.column(name).to_pylist()))
    return LeRobotDataset(
        folder,
        float(fps),
        features,
        instructions,
        _episodes(folder),
        check_origin(_read_json(folder, ORIGIN) if (folder / ORIGIN).is_file() else None),
        str(info["data_path"]),
        info.get("video_path"),
    )


def _are_features(features: object) -> bool:
    """Say whether info.json tells type and shape of every feature."""
    return isinstance(features, dict) and all(
        isinstance(feature, dict)
        and isinstance(feature.get("dtype"), str)
        and isinstance(feature.get("shape"), list)
        for feature in features.values()
    )


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    """Return the object of a json file."""
    with reading(name):
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        return dict(content)


def _episodes(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of all episodes, without their statistics."""
    parquet = load_arrow().parquet
    rows: list[Mapping[str, Any]] = []
    top = Path(EPISODES).parts[:2]
    with reading("/".join(top)):
        for path in sorted(folder.joinpath(*top).glob("*/*.parquet")):
            names = parquet.read_schema(path).names
            kept = [name for name in names if not name.startswith("stats/")]
            rows += parquet.read_table(path, columns=kept).to_pylist()
        return tuple(sorted(rows, key=lambda row: int(row["episode_index"])))
