"""What `BatchedEnv.reset` was asked for: checked, and completed, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from lam_envs.errors import InvalidResetError
from lam_envs.tasks.base import Task
from lam_envs.tensors import read

_FARTHEST = 100.0
"""Largest number of a reset vector, metres; far beyond, physics breaks in the next episode, too."""


def worlds_to_reset(mask: torch.Tensor | None, num_envs: int) -> npt.NDArray[np.bool_]:
    """Return which worlds reset, shape (num_envs,).

    Args:
        mask: What was asked for; None for all.
        num_envs: Number of worlds.

    Raises:
        InvalidResetError: Not a mask of all worlds.
    """
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    _check_tensor("the reset mask", mask)
    if mask.shape != (num_envs,) or mask.dtype != torch.bool:
        raise InvalidResetError(
            f"the reset mask has shape {tuple(mask.shape)} and type {mask.dtype}; "
            f"it must have shape ({num_envs},) and type torch.bool."
        )
    return read(mask)


def vectors_of(
    task: Task,
    resets: npt.NDArray[np.bool_],
    seeds: Sequence[int | np.random.SeedSequence] | None,
    given: torch.Tensor | None,
    *,
    is_randomised: bool,
) -> npt.NDArray[np.float64]:
    """Return the reset vectors of all worlds, shape (num_envs, k), 0 where none resets.

    Args:
        task: The task.
        resets: Which worlds reset, shape (num_envs,).
        seeds: One for each of them, or None.
        given: Their reset vectors, shape (resets.sum(), k); None draws them from the seeds.
        is_randomised: Whether the worlds need seeds in any case.

    Raises:
        InvalidResetError: Wrong shapes, NaN, or not what is needed of seeds and vectors.
    """
    count = int(resets.sum())
    if is_randomised and seeds is None:
        raise InvalidResetError(
            "reset got no seeds, from which the randomised worlds draw; give one for each "
            "masked world, with or without reset_vectors."
        )
    if not is_randomised and (seeds is None) == (given is None):
        raise InvalidResetError(
            "reset takes either seeds or reset_vectors, one for each masked world; "
            "give one of them."
        )
    if seeds is not None:
        _check_seeds(seeds, count)
    if given is not None:
        _check_tensor("reset_vectors", given)
        vectors = read(given)
    else:
        assert seeds is not None
        vectors = task.sample_reset_vectors([np.random.default_rng(seed) for seed in seeds])
    expected = (count, len(task.reset_low))
    if vectors.shape != expected:
        raise InvalidResetError(
            f"reset_vectors has shape {vectors.shape}; {task.name} needs {expected}."
        )
    is_near = (np.abs(vectors) <= _FARTHEST).all(1)  # NaN is not.
    if not is_near.all():
        row = int(is_near.argmin())
        raise InvalidResetError(
            f"reset vector {row} is {vectors[row].tolist()}; its numbers must be between "
            f"-{_FARTHEST:g} and {_FARTHEST:g}."
        )
    rows = np.zeros((len(resets), expected[1]))
    rows[resets] = vectors
    return rows


def _check_tensor(name: str, value: object) -> None:
    """Refuse what is no tensor."""
    if not isinstance(value, torch.Tensor):
        raise InvalidResetError(f"{name} is a {type(value).__name__}; it must be a torch.Tensor.")


def _check_seeds(seeds: object, count: int) -> None:
    """Refuse what is not a list of `count` seeds."""
    if not isinstance(seeds, Sequence) or isinstance(seeds, str):
        raise InvalidResetError(
            f"seeds is a {type(seeds).__name__}; it must be a list with one for each masked world."
        )
    if len(seeds) != count:
        raise InvalidResetError(
            f"reset got {len(seeds)} seeds for {count} masked worlds; give one for each."
        )
    for seed in seeds:
        is_number = isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0
        if not (is_number or isinstance(seed, np.random.SeedSequence)):
            raise InvalidResetError(
                f"a seed is {seed!r}; it must be a whole number, at least 0, or a SeedSequence of "
                "numpy."
            )
