"""Minari dataset -> EpisodeSet, with a refusal that names what does not fit."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError, one_line
from lam_agent.interchange.checks import (
    check_actions,
    check_control_dt,
    check_images,
    check_look_every,
    check_proprioception,
    check_tracked,
)
from lam_agent.interchange.entries import Array, entry, is_any_true
from lam_agent.interchange.joining import join
from lam_agent.interchange.minari.keys import MinariKeys, flatten
from lam_agent.interchange.minari.library import load_library
from lam_agent.interchange.origin import ORIGIN_KEY, check_origin
from lam_agent.types import Progress, no_progress
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import ACTION_SIZE
from lam_envs.words import nearest


def import_minari(
    dataset_id: str,
    task: str,
    *,
    keys: MinariKeys | None = None,
    control_dt: float | None = None,
    look_every: int | None = None,
    progress: Progress = no_progress,
) -> EpisodeSet:
    """Read a Minari dataset of this machine.

    Args:
        dataset_id: Name of the dataset.
        task: Task that it demonstrates.
        keys: Where the parts are; None for the names that an export gives them.
        control_dt: Seconds of an action; None where the dataset says it.
        look_every: Control steps between two looks that are kept, where the dataset has one action
            a step; None for what the dataset says, or else 1.
        progress: Called after each episode.

    Raises:
        MissingExtraError: Minari is not installed.
        UnknownTaskError: There is no such task.
        EpisodeError: The dataset is missing, damaged, or does not fit, which names how.
    """
    keys = keys or MinariKeys()
    expected = make_task(task).control_dt
    dataset = _open(dataset_id)
    try:
        said = _said(dataset, task)
        step_s = check_control_dt(expected, said.get("control_dt"), control_dt)
        chunk = _chunk_length(dataset.action_space)
        every = check_look_every(chunk, said.get("look_every"), look_every)
        parts: list[dict[str, Array]] = []
        for episode in _episodes(dataset):
            parts.append(_convert(episode, keys, every, chunk is not None))
            progress(len(parts) / dataset.total_episodes, f"reading {dataset_id}")
        return join(task, parts, keys.cameras, every, step_s)
    except EpisodeError as error:
        raise EpisodeError(f"the Minari dataset {dataset_id} does not fit: {error}") from error


def _open(dataset_id: str) -> Any:
    """Return a dataset that is on this machine; nothing is downloaded."""
    library = load_library()
    try:
        return library.load_dataset(dataset_id)
    except FileNotFoundError as error:
        names = list(library.list_local_datasets())
        raise EpisodeError(
            f"there is no Minari dataset {dataset_id!r} on this machine"
            f"{nearest(dataset_id, names)}; download it by `minari download {dataset_id}`."
        ) from error
    except Exception as error:  # Minari raises errors of many kinds.
        raise EpisodeError(
            f"the Minari dataset {dataset_id} cannot be read ({one_line(error)}); "
            "download or export it again."
        ) from error


def _episodes(dataset: Any) -> Any:
    """Yield the episodes; a damaged file is refused in one sentence."""
    episodes = iter(dataset.iterate_episodes())
    while True:
        try:
            episode = next(episodes)
        except StopIteration:
            return
        except Exception as error:  # h5py and Pillow raise errors of many kinds.
            raise EpisodeError(
                f"an episode cannot be read ({one_line(error)}); download or export it again."
            ) from error
        yield episode


def _said(dataset: Any, task: str) -> dict[str, Any]:
    """Return what an export of lam_agent said of the dataset; empty for one of other origin."""
    said = check_origin(dataset.storage.metadata.get(ORIGIN_KEY))
    if said and said.get("task") != task:
        raise EpisodeError(
            f"it demonstrates {said.get('task')!r}, not {task!r}; change --task or the dataset."
        )
    return said


def _chunk_length(space: gymnasium.Space[Any]) -> int | None:
    """Return the number of actions of a chunk, or None where an action is a single one."""
    shape = space.shape or ()
    is_box = isinstance(space, gymnasium.spaces.Box)
    if not is_box or len(shape) not in (1, 2) or shape[-1] != ACTION_SIZE:
        raise EpisodeError(
            f"its action space is {space}; it must be a Box of shape ({ACTION_SIZE},), or "
            f"(k, {ACTION_SIZE}) for chunks of k actions."
        )
    return shape[0] if len(shape) == 2 else None


def _convert(episode: Any, keys: MinariKeys, look_every: int, is_chunked: bool) -> dict[str, Array]:
    """Return the parts of an episode, checked: arrays with a row for each look or action."""
    if not isinstance(episode.observations, dict):
        raise EpisodeError(
            "its observations are a single array; they must be a Dict with an entry for each "
            "camera and for the proprioception; record them so."
        )
    observations, infos = flatten(episode.observations), flatten(episode.infos)
    counts = infos.get("num_actions") if is_chunked else None
    actions = check_actions(np.asarray(episode.actions), look_every, is_chunked, counts)
    steps = len(episode.actions)
    stride = 1 if is_chunked else look_every
    parts = {"actions": actions}
    for camera, key in keys.cameras.items():
        images = entry(observations, key, "observations", "--camera-keys")
        parts[camera] = check_images(images, key, steps)[:steps:stride]
    name = keys.proprioception
    feelings = entry(observations, name, "observations", "--proprioception-key")
    parts["proprioception"] = check_proprioception(feelings, name, steps)[:steps:stride]
    if keys.tracked in (known := {**observations, **infos}):
        tracked = check_tracked(known[keys.tracked], keys.tracked, steps)
        parts["tracked"] = tracked[:steps:stride]
    elif keys.tracked != MinariKeys.tracked:
        entry(known, keys.tracked, "infos and observations", "--tracked-key")
    if keys.success == "terminations":
        is_success = np.asarray(episode.terminations)
    else:
        is_success = entry(infos, keys.success, "infos", "--success-key")
    parts["is_success"] = np.array([is_any_true(is_success, f"info {keys.success!r}")])
    return parts
