"""LeRobotDataset v3.0: names of its files and columns, and the libraries that read and write them.

Source: `lerobot/datasets` of LeRobot 0.4.4 and 0.6.1, https://github.com/huggingface/lerobot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lam_agent.errors import EpisodeError, LamAgentError, one_line
from lam_agent.extras import load_extra
from lam_agent.interchange.origin import ORIGIN_KEY

FORMAT = "v3.0"
"""`codebase_version` of the datasets that are read and written."""

INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
ORIGIN = f"meta/{ORIGIN_KEY}.json"
"""A file of our own: LeRobot warns of entries of info.json that it does not know."""

FILES_IN_CHUNK = 1000
"""Files of a folder `chunk-…`."""

DATA_FILE_MB = 100
VIDEO_FILE_MB = 200
"""Sizes at which LeRobot begins another file."""

ACTION = "action"
STATE = "observation.state"
PICTURES = "observation.images."
"""Prefix of the cameras; a policy sees whatever begins with `observation.`."""

SUCCESS = "next.success"
DONE = "next.done"
REWARD = "next.reward"
TRACKED = "tracked"
NUM_ACTIONS = "num_actions"
"""Names without a prefix are no input of a policy."""


def load_arrow() -> Any:
    """Return the module `pyarrow`, with `pyarrow.parquet`.

    Raises:
        MissingExtraError: It is not installed.
    """
    return load_extra("lerobot", "LeRobot datasets need", "pyarrow.parquet", "pyarrow")


def load_av() -> Any:
    """Return the module `av`, which decodes videos.

    Raises:
        MissingExtraError: It is not installed.
    """
    return load_extra("lerobot", "LeRobot datasets with videos need", "av")


@contextmanager
def reading(name: object) -> Iterator[None]:
    """Say in one sentence which file the block could not read.

    Args:
        name: The file.

    Raises:
        EpisodeError: It is missing or damaged.
    """
    try:
        yield
    except (LamAgentError, MemoryError):
        raise
    except Exception as error:  # pyarrow, PyAV and Pillow raise errors of many kinds.
        raise EpisodeError(
            f"{name} cannot be read ({one_line(error)}); download or export the dataset again."
        ) from error
