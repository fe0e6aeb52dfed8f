"""The frames of a LeRobot dataset's episodes: numbers and embedded pictures of its data files."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from PIL import Image

from lam_agent.errors import EpisodeError
from lam_agent.interchange.entries import Array
from lam_agent.interchange.lerobot.dataset import LeRobotDataset
from lam_agent.interchange.lerobot.format import load_arrow, reading

_ROWS_AT_A_TIME = 256
"""A data file may hold many episodes, with more pictures than the memory."""


def read_frames(
    dataset: LeRobotDataset, episodes: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield each episode with the table of its frames; every data file is read once.

    Args:
        dataset: The dataset.
        episodes: Rows of the episodes that are wanted, in their order.
        keys: Names of the columns that are wanted.

    Raises:
        EpisodeError: A file is missing or damaged, or has other frames than `meta` says.
    """
    for path, group in groupby(episodes, dataset.data_file):
        wanted = {int(episode["episode_index"]): episode for episode in group}
        with reading(path.relative_to(dataset.folder)):
            file = load_arrow().parquet.ParquetFile(path)
            for index, table in _tables(file, [*keys, "episode_index", "frame_index"]):
                if index in wanted:
                    episode = wanted.pop(index)
                    _check_length(table, episode)
                    yield episode, table
        for episode in wanted.values():
            _check_length(None, episode)


def _tables(file: Any, columns: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """Yield the index and the rows of each episode of a data file."""
    index = -1
    batches: list[Any] = []
    for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=list(columns)):
        values = batch.column("episode_index").to_numpy(zero_copy_only=False)
        starts = np.flatnonzero(np.diff(values, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(values)]):
            if values[start] != index and batches:
                yield index, load_arrow().Table.from_batches(batches)
                batches = []
            index = int(values[start])
            batches.append(batch.slice(start, end - start))
    if batches:
        yield index, load_arrow().Table.from_batches(batches)


def _check_length(table: Any, episode: Mapping[str, Any]) -> None:
    """Refuse frames that are not all there, or out of order."""
    length, index = int(episode["length"]), episode["episode_index"]
    found = [] if table is None else table.column("frame_index").to_pylist()
    if found != list(range(length)) or length == 0:
        raise EpisodeError(
            f"episode {index} has {len(found)} frames in its data file, where {length} frames in "
            "order should be; download or export the dataset again."
        )


def numbers(table: Any, key: str) -> Array:
    """Return a column of numbers, shape (T,), or (T, D) where each frame has a list of D.

    Raises:
        EpisodeError: Frames lack a value, or their lists differ in length.
    """
    types = load_arrow().types
    column = table.column(key).combine_chunks()
    shape = [len(column)]
    num_gaps = column.null_count
    if types.is_fixed_size_list(column.type):
        shape.append(column.type.list_size)
    elif types.is_list(column.type):
        shape += column.value_lengths().unique().to_pylist()
    if len(shape) > 1:
        column = column.flatten()
    if num_gaps or column.null_count or len(shape) > 2:
        raise EpisodeError(f"the entry {key!r} has gaps in some frames; correct it.")
    values: Array = column.to_numpy(zero_copy_only=False)
    return values.reshape(shape)


def embedded_pictures(table: Any, key: str, frames: Sequence[int], shape: tuple[int, ...]) -> Array:
    """Return pictures that are embedded as PNG or JPEG.

    Args:
        table: An episode's frames.
        key: The column.
        frames: Which of them are wanted.
        shape: Shape of a picture, (H, W, 3).

    Returns:
        RGB, shape (len(frames), H, W, 3), uint8.

    Raises:
        EpisodeError: A picture is missing, damaged, of another size or no RGB.
    """
    pictures = np.empty((len(frames), *shape), np.uint8)
    rows = table.column(key).take(load_arrow().array(frames)).to_pylist()
    for place, row in enumerate(rows):
        if row is None or row["bytes"] is None:
            raise EpisodeError(
                f"frame {frames[place]} of {key!r} is not embedded; export the dataset again."
            )
        with Image.open(io.BytesIO(row["bytes"])) as picture:
            found = (picture.height, picture.width, len(picture.getbands()))
            if found != shape or picture.mode != "RGB":
                raise EpisodeError(
                    f"frame {frames[place]} of {key!r} has shape {found} and mode {picture.mode}; "
                    f"it must have shape {shape} and mode RGB; convert it."
                )
            pictures[place] = np.asarray(picture)
    return pictures
