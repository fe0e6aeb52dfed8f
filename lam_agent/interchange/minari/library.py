"""The library Minari, which is optional: loaded only where it is used."""

from __future__ import annotations

import re
from typing import Any

from lam_agent.errors import EpisodeError
from lam_agent.extras import load_extra

_DATASET_ID = re.compile(r"([-\w]+/)*[-\w]+-v\d+")


def load_library() -> Any:
    """Return the module `minari`.

    Raises:
        MissingExtraError: It, or h5py, is not installed.
    """
    return load_extra("minari", "Minari datasets need", "h5py", "minari")


def check_dataset_id(dataset_id: str) -> None:
    """Refuse what is no name of a Minari dataset.

    Raises:
        EpisodeError: Naming the form.
    """
    if not _DATASET_ID.fullmatch(dataset_id):
        raise EpisodeError(
            f"{dataset_id!r} is no name of a Minari dataset; it must have the form "
            "namespace/name-v0, of letters, digits, '-' and '_'."
        )
