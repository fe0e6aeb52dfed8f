"""EpisodeSet -> Minari dataset: one Minari step for each look of the cameras.

A step's observation is what the policy saw at a look; its action is what followed until the next
look: one action where the cameras look at every control step, else a chunk of `look_every` actions.
No picture is repeated or made up, but for the final observation that Minari asks of every episode.
"""

from __future__ import annotations

import copy
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec

from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError
from lam_agent.interchange.entries import Array
from lam_agent.interchange.minari.library import check_dataset_id, load_library
from lam_agent.interchange.origin import ORIGIN_KEY, ORIGIN_VERSION
from lam_envs.registration import gymnasium_id
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import HAND_SPACE_HIGH, HAND_SPACE_LOW


def dataset_folder(dataset_id: str) -> Path:
    """Return where Minari keeps a dataset on this machine.

    Raises:
        MissingExtraError: Minari is not installed.
        EpisodeError: The name is none, or there is such a dataset already.
    """
    load_library()
    check_dataset_id(dataset_id)
    from minari.storage.datasets_root_dir import get_dataset_path

    folder = Path(get_dataset_path(dataset_id))
    if folder.exists():
        raise EpisodeError(
            f"the Minari dataset {dataset_id} exists already in {folder}; choose another "
            f"--dataset-id, or remove it by `minari delete {dataset_id}`."
        )
    return folder


def export_minari(episodes: EpisodeSet, dataset_id: str) -> Path:
    """Write episodes as a Minari dataset, losslessly.

    Args:
        episodes: The episodes.
        dataset_id: Name of the dataset, such as `lam/push-v0`.

    Returns:
        The dataset's folder.

    Raises:
        MissingExtraError: Minari is not installed.
        EpisodeError: The name is none, or there is such a dataset already.
        UnknownTaskError: No task has the episodes' task.
    """
    library = load_library()
    folder = dataset_folder(dataset_id)
    instruction = make_task(episodes.task).instruction
    try:
        with warnings.catch_warnings():
            # Minari warns of each description that a dataset does without.
            warnings.simplefilter("ignore", UserWarning)
            dataset = library.create_dataset_from_buffers(
                dataset_id,
                _buffers(episodes),
                env=_environment(episodes),
                observation_space=_observation_space(episodes),
                action_space=_action_space(episodes.look_every),
                algorithm_name="demonstrations of lam_agent",
                description=f"Demonstrations of {episodes.task}: {instruction}",
                jpeg_encoding=False,
            )
        dataset.storage.update_metadata(
            {
                ORIGIN_KEY: {
                    "format_version": ORIGIN_VERSION,
                    "task": episodes.task,
                    "instruction": instruction,
                    "control_dt": episodes.control_dt,
                    "look_every": episodes.look_every,
                }
            }
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _environment(episodes: EpisodeSet) -> EnvSpec | None:
    """Return the environment whose spaces are the dataset's, or None where there is none."""
    sizes = {tuple(images.shape[1:3]) for images in episodes.images.values()}
    height, width = sizes.pop()
    if sizes or height != width or set(episodes.images) != set(CAMERAS) or episodes.look_every > 1:
        return None
    spec = copy.deepcopy(gymnasium.spec(gymnasium_id(episodes.task)))
    spec.kwargs["image_size"] = height
    return spec


def _observation_space(episodes: EpisodeSet) -> gymnasium.spaces.Dict:
    """Return the environment's space, widened where a hand was beyond it."""
    feelings = episodes.proprioception.numpy()
    low = np.minimum(np.array((*HAND_SPACE_LOW, 0.0), np.float32), feelings.min(0))
    high = np.maximum(np.array((*HAND_SPACE_HIGH, 1.0), np.float32), feelings.max(0))
    keys: dict[str, gymnasium.Space[Any]] = {
        camera: gymnasium.spaces.Box(0, 255, tuple(images.shape[1:]), np.uint8)
        for camera, images in episodes.images.items()
    }
    keys["proprioception"] = gymnasium.spaces.Box(low, high, dtype=np.float32)
    return gymnasium.spaces.Dict(keys)


def _action_space(look_every: int) -> gymnasium.spaces.Box:
    shape = (4,) if look_every == 1 else (look_every, 4)
    return gymnasium.spaces.Box(-1.0, 1.0, shape, np.float32)


def _buffers(episodes: EpisodeSet) -> Iterator[Any]:
    """Yield each episode as Minari's buffer."""
    from minari.data_collector import EpisodeBuffer

    chunks, is_inside = episodes.action_chunks(episodes.look_every)  # (F, k, 4), (F, k)
    episode_of = torch.searchsorted(episodes.episode_start, episodes.look_step, right=True) - 1
    for index in range(episodes.num_episodes):
        looks = (episode_of == index).nonzero()[:, 0]
        steps = len(looks)
        is_success = np.zeros(steps + 1, dtype=np.bool_)
        is_success[-1] = bool(episodes.is_success[index])
        yield EpisodeBuffer(
            observations=_with_final(
                {
                    **{name: images[looks] for name, images in episodes.images.items()},
                    "proprioception": episodes.proprioception[looks],
                }
            ),
            actions=(chunks[looks, 0] if episodes.look_every == 1 else chunks[looks]).numpy(),
            rewards=is_success[1:].astype(np.float64),
            terminations=np.zeros(steps, dtype=np.bool_),
            truncations=np.arange(1, steps + 1) == steps,
            infos={
                "is_success": is_success,
                "num_actions": np.append(is_inside[looks].sum(1).numpy(), 0),
                **(
                    _with_final({"tracked": episodes.tracked[looks]})
                    if episodes.has_tracked
                    else {}
                ),
            },
        )


def _with_final(entries: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Append the final entry: what was seen behind the last action is unknown, so the last look."""
    return {name: torch.cat((rows, rows[-1:])).numpy() for name, rows in entries.items()}
