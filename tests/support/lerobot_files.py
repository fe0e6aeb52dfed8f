"""A LeRobot dataset as other people make it, written without the package's own exporter.

Its files are like those of LeRobot 0.4: one row group, lists, instructions as a nameless index.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

LENGTHS = (5, 3, 8)
"""Frames of the episodes."""

INSTRUCTIONS = ("push it", "reach it")
"""The second episode follows the second one."""

SIZE = 40
CAMERAS = ("observation.images.table", "observation.images.hand")
FPS = 80

Parts = dict[str, Any]


def make_parts(*, is_video: bool = False) -> Parts:
    """Return what a dataset holds: `info`, `episodes`, and `columns` with pictures as arrays."""
    rng = np.random.default_rng(7)
    frames = sum(LENGTHS)
    kind = "video" if is_video else "image"
    picture = {
        "dtype": kind,
        "shape": [SIZE, SIZE, 3],
        "names": ["height", "width", "channels"],
    }

    def numbers(width: int) -> dict[str, Any]:
        return {"dtype": "float32", "shape": [width], "names": None}

    starts = np.cumsum((0, *LENGTHS))
    episodes = []
    for index, length in enumerate(LENGTHS):
        row = {
            "episode_index": index,
            "tasks": [INSTRUCTIONS[index % 2]],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": 0,
            "dataset_from_index": int(starts[index]),
            "dataset_to_index": int(starts[index + 1]),
            "stats/action/mean": [0.0] * 4,
        }
        if is_video:
            for key in CAMERAS:
                row[f"videos/{key}/chunk_index"] = row[f"videos/{key}/file_index"] = 0
                row[f"videos/{key}/from_timestamp"] = float(starts[index]) / FPS
                row[f"videos/{key}/to_timestamp"] = float(starts[index + 1]) / FPS
        episodes.append(row)
    in_episode = np.concatenate([np.arange(length) for length in LENGTHS])
    episode_index = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    return {
        "info": {
            "codebase_version": "v3.0",
            "fps": FPS,
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
            "features": {
                **{key: dict(picture) for key in CAMERAS},
                "observation.state": numbers(4),
                "action": numbers(4),
                "positions": numbers(6),
                "next.success": {"dtype": "bool", "shape": [1], "names": None},
            },
        },
        "episodes": episodes,
        "columns": {
            **{
                key: rng.integers(0, 256, (frames, SIZE, SIZE, 3), dtype=np.uint8)
                for key in CAMERAS
            },
            "observation.state": rng.random((frames, 4)),
            "action": rng.uniform(-1, 1, (frames, 4)),
            "positions": rng.random((frames, 6)),
            "next.success": (in_episode == 2) & (episode_index < 2),
            "timestamp": (in_episode / FPS).astype(np.float32),
            "frame_index": in_episode,
            "episode_index": episode_index,
            "index": np.arange(frames),
            "task_index": episode_index % 2,
        },
    }


def write_dataset(
    folder: Path, change: Callable[[Parts], object] = lambda parts: None, *, is_video: bool = False
) -> Parts:
    """Write a dataset, once `change` has changed its parts; return them."""
    parts = make_parts(is_video=is_video)
    change(parts)
    for name in ("meta/episodes/chunk-000", "data/chunk-000"):
        (folder / name).mkdir(parents=True)
    (folder / "meta/info.json").write_text(json.dumps(parts["info"]), encoding="utf-8")
    tasks = {"task_index": list(range(len(INSTRUCTIONS))), "__index_level_0__": INSTRUCTIONS}
    pq.write_table(pa.table(tasks), folder / "meta/tasks.parquet")
    rows = pa.Table.from_pylist(parts["episodes"])
    pq.write_table(rows, folder / "meta/episodes/chunk-000/file-000.parquet")
    columns = {}
    for key, values in parts["columns"].items():
        is_pictures = isinstance(values, np.ndarray) and values.ndim == 4
        if is_pictures and is_video:
            path = folder / f"videos/{key}/chunk-000/file-000.mp4"
            path.parent.mkdir(parents=True)
            write_video(path, values)
        elif is_pictures:
            columns[key] = [{"bytes": png(picture), "path": "x.png"} for picture in values]
        else:
            columns[key] = list(values)
    pq.write_table(pa.table(columns), folder / "data/chunk-000/file-000.parquet")
    return parts


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def write_video(path: Path, pictures: npt.NDArray[np.uint8]) -> None:
    """Write a video that loses nothing, with a key frame now and then."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=FPS, options={"crf": "0", "g": "6"})
        stream.width, stream.height, stream.pix_fmt = *pictures.shape[2:0:-1], "rgb24"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
