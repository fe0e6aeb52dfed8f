"""Gymnasium ids of the tasks: `lam/Push-v0` for `push`. No import of torch or MuJoCo here."""

from __future__ import annotations

import re

from gymnasium.envs.registration import register, registry

MAX_EPISODE_STEPS = 200
"""Control steps of an episode, as in Meta-World's and Continual World's protocol."""

_BEFORE_A_LETTER = re.compile("-(?=[a-z])")


def gymnasium_id(task: str) -> str:
    """Return the Gymnasium id of a task: `lam/DrawerOpen-v0` for `drawer-open`.

    A hyphen before a digit stays, so that `block-2` and `block2` have two ids.
    """
    words = _BEFORE_A_LETTER.split(task)
    return f"lam/{''.join(word[:1].upper() + word[1:] for word in words)}-v0"


def register_env(task: str) -> None:
    """Register the id of a task, unless it is registered, for `make` and `make_vec`."""
    if gymnasium_id(task) not in registry:
        register(
            id=gymnasium_id(task),
            entry_point="lam_envs.gymnasium_api:LamEnv",
            vector_entry_point="lam_envs.gymnasium_vector:LamVectorEnv",
            max_episode_steps=MAX_EPISODE_STEPS,
            kwargs={"task": task},
        )
