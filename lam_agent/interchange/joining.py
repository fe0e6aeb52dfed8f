"""Episodes of another format, converted one by one, -> EpisodeSet."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from lam_agent.episodes import EpisodeSet, regular_looks
from lam_agent.errors import EpisodeError
from lam_agent.interchange.entries import Array


def join(
    task: str,
    parts: list[dict[str, Array]],
    cameras: Iterable[str],
    look_every: int,
    control_dt: float,
) -> EpisodeSet:
    """Concatenate episodes; what is concatenated is taken out of `parts`, to need less memory.

    Args:
        task: Name of the task.
        parts: The parts of each episode: `actions` (S, 4), `proprioception` (F, 4), `is_success`
            (1,), pictures under each camera's name (F, H, H, 3), and `tracked` (F, 6) or nothing.
        cameras: Names of the cameras.
        look_every: Control steps between two looks.
        control_dt: Seconds between two actions.

    Raises:
        EpisodeError: There are no episodes, or they differ in the size of their pictures.
    """
    if not parts:
        raise EpisodeError("it has no episodes; record at least one.")
    has_tracked = all("tracked" in part for part in parts)
    lengths = torch.tensor([len(part["actions"]) for part in parts])
    episode_start = torch.cat((torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)))
    look_step = regular_looks(episode_start, look_every)

    def joined(name: str) -> torch.Tensor:
        shapes = {part[name].shape[1:] for part in parts}
        if len(shapes) > 1:
            raise EpisodeError(
                f"its episodes differ in the shape of {name} ({', '.join(map(str, shapes))}); "
                "convert them to one."
            )
        return torch.from_numpy(np.concatenate([part.pop(name) for part in parts]))

    return EpisodeSet(
        task=task,
        images={camera: joined(camera) for camera in cameras},
        proprioception=joined("proprioception"),
        tracked=joined("tracked") if has_tracked else torch.zeros(len(look_step), 6),
        look_step=look_step,
        actions=joined("actions"),
        episode_start=episode_start,
        is_success=joined("is_success"),
        look_every=look_every,
        control_dt=control_dt,
        has_tracked=has_tracked,
    )
