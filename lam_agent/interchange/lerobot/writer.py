"""Writes a LeRobot dataset, episode after episode."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lam_agent.interchange.entries import Array
from lam_agent.interchange.lerobot.features import Feature, arrow_schema, to_json
from lam_agent.interchange.lerobot.format import (
    DATA,
    DATA_FILE_MB,
    EPISODES,
    FILES_IN_CHUNK,
    FORMAT,
    INFO,
    STATS,
    TASKS,
    VIDEO_FILE_MB,
    load_arrow,
)
from lam_agent.interchange.lerobot.stats import RunningStats


class LeRobotWriter:
    """Writes episodes into a folder; one row group of Parquet each.

    Args:
        folder: An empty folder.
        features: What a frame holds.
        fps: Frames a second.
    """

    def __init__(self, folder: Path, features: Mapping[str, Feature], fps: float) -> None:
        self._folder = folder
        self._features = features
        self._fps = fps
        self._schema = arrow_schema(features)
        self._writer: Any = None
        self._path = folder
        self._file_number = 0
        self._instructions: dict[str, int] = {}
        self._episodes: list[dict[str, Any]] = []
        self._stats = RunningStats(features)
        self.num_frames = 0

    def add_episode(self, values: Mapping[str, Array], instruction: str) -> None:
        """Write an episode.

        Args:
            values: A row for each frame of every feature that LeRobot does not add by itself:
                pictures (T, H, W, 3), uint8, and numbers (T, D) or (T,); others are left out.
            instruction: What the episode follows.
        """
        pa = load_arrow()
        frames = len(next(iter(values.values())))
        task_index = self._instructions.setdefault(instruction, len(self._instructions))
        in_episode = np.arange(frames)
        values = {
            **values,
            "timestamp": (in_episode / self._fps).astype(np.float32),
            "frame_index": in_episode,
            "episode_index": np.full(frames, len(self._episodes)),
            "index": self.num_frames + in_episode,
            "task_index": np.full(frames, task_index),
        }
        columns = [self._column(key, values[key]) for key in self._features]
        place = self._open_file()
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._episodes.append(
            {
                "episode_index": len(self._episodes),
                "tasks": [instruction],
                "length": frames,
                "data/chunk_index": place[0],
                "data/file_index": place[1],
                "dataset_from_index": self.num_frames,
                "dataset_to_index": self.num_frames + frames,
                **{
                    f"stats/{key}/{name}": numbers
                    for key, stats in self._stats.add(values).items()
                    for name, numbers in stats.items()
                },
                "meta/episodes/chunk_index": 0,
                "meta/episodes/file_index": 0,
            }
        )
        self.num_frames += frames

    def finish(self) -> None:
        """Write what is known when all episodes are."""
        pa = load_arrow()
        self.close()
        path = self._folder / EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)  # And with it meta, for all files of `finish`.
        pa.parquet.write_table(pa.Table.from_pylist(self._episodes), path)
        pa.parquet.write_table(_task_table(self._instructions), self._folder / TASKS)
        self._write_json(STATS, self._stats.total())
        self._write_json(INFO, self._info())

    def close(self) -> None:
        """End the data file that is open."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open_file(self) -> tuple[int, int]:
        """Return chunk and file where the next episode goes; begin one where the last is full."""
        if self._writer is not None and self._path.stat().st_size >= DATA_FILE_MB * 2**20:
            self.close()
            self._file_number += 1
        chunk, file = divmod(self._file_number, FILES_IN_CHUNK)
        if self._writer is None:
            self._path = self._folder / DATA.format(chunk_index=chunk, file_index=file)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # A dictionary of pictures would be as long as they are.
            self._writer = load_arrow().parquet.ParquetWriter(
                self._path, self._schema, compression="snappy", use_dictionary=False
            )
        return chunk, file

    def _column(self, key: str, values: Array) -> Any:
        """Return a feature's rows as Arrow's array."""
        pa = load_arrow()
        feature = self._features[key]
        kind = self._schema.field(key).type
        if feature.is_picture:
            rows = [
                {"bytes": _png(picture), "path": f"frame-{frame:06d}.png"}
                for frame, picture in enumerate(values)
            ]
            return pa.array(rows, kind)
        flat = pa.array(values.astype(feature.dtype).reshape(-1))
        if feature.shape[0] == 1:
            return flat
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)

    def _info(self) -> dict[str, Any]:
        """Return what info.json holds."""
        return {
            "codebase_version": FORMAT,
            "robot_type": None,
            "total_episodes": len(self._episodes),
            "total_frames": self.num_frames,
            "total_tasks": len(self._instructions),
            "chunks_size": FILES_IN_CHUNK,
            "data_files_size_in_mb": DATA_FILE_MB,
            "video_files_size_in_mb": VIDEO_FILE_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._episodes)}"},
            "data_path": DATA,
            "video_path": None,
            "features": to_json(self._features),
        }

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=4, ensure_ascii=False)
        (self._folder / name).write_text(text, encoding="utf-8")


def _task_table(instructions: Mapping[str, int]) -> Any:
    """Return the table of instructions; pandas, with which LeRobot reads it, has them as index."""
    pa = load_arrow()
    described = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": kind,
            "numpy_type": stored,
            "metadata": None,
        }
        for name, kind, stored in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    words = {"index_columns": ["task"], "column_indexes": [], "columns": described}
    return pa.table(
        {
            "task_index": pa.array(list(instructions.values()), pa.int64()),
            "task": pa.array(list(instructions), pa.string()),
        },
    ).replace_schema_metadata({"pandas": json.dumps(words)})


def _png(picture: Array) -> bytes:
    """Return a picture as PNG, which loses nothing."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
