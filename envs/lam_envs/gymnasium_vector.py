"""LamVectorEnv: many worlds of a task as a `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lam_envs.batched import BatchedEnv
from lam_envs.checks import check_counts
from lam_envs.errors import InvalidResetError, InvalidSettingError
from lam_envs.randomisation.ranges import Randomisation, randomisation_of
from lam_envs.registration import MAX_EPISODE_STEPS
from lam_envs.scene import CAMERAS
from lam_envs.spaces import (
    RENDER_FPS,
    Array,
    Info,
    Observation,
    action_space,
    check_options,
    check_render_mode,
    observation_space,
    observe,
    randomisation_seeds,
    render_fps,
    render_frames,
    reset_vectors,
    to_actions,
    warn_without_render_mode,
)
from lam_envs.tasks.sawyer import ACTION_SIZE
from lam_envs.words import nearest

Mask = npt.NDArray[np.bool_]


class LamVectorEnv(VectorEnv[Observation, Array, Array]):
    """`num_envs` worlds of one task, stepped and rendered together.

    ## Description
    What `gymnasium.make_vec` returns for the ids of `lam_envs`. It gives, bit by bit, what
    `gymnasium.vector.SyncVectorEnv` over `num_envs` copies of `LamEnv` gives, where spaces, rewards
    and starting states are described. The tasks are in docs/environments.md.

    ```python
    import gymnasium
    envs = gymnasium.make_vec("lam_envs:lam/Push-v0", num_envs=64)
    ```

    ## Action Space
    `Box(-1, 1, (num_envs, 4), float32)`.

    ## Observation Space
    | Key | Observation | Shape | Type |
    |---|---|---|---|
    | `front` | Fixed camera, RGB | (num_envs, 64, 64, 3) | uint8 |
    | `wrist` | Camera on the hand, RGB | (num_envs, 64, 64, 3) | uint8 |
    | `proprioception` | Hand xyz (m), gripper opening (10 cm) | (num_envs, 4) | float32 |
    | `state` | With `observe_state=True` only: Meta-World's state | (num_envs, 39) | float64 |

    ## Episode End
    No world terminates. Each truncates itself after `max_episode_steps` steps of its own.

    The autoreset mode is `AutoresetMode.NEXT_STEP` unless another is given, Gymnasium's default,
    which all of its vector wrappers know: the last observation of an episode comes in the usual
    arrays, and every step renders once. At the step after a truncation, a world ignores its action
    and starts a new episode: its observation is the first of the new episode, its reward is 0, and
    neither flag is set. A learner must leave that transition out. With `SAME_STEP` a world starts
    its new episode in the step that truncates the old one, whose last observation and info come in
    `info["final_obs"]` and `info["final_info"]`; such steps render twice. With `DISABLED` it waits
    for `reset(options={"reset_mask": ...})`.

    ## Info
    Every key comes with a mask `_key` that says which worlds have it.

    | Key | Worlds | Shape | Type |
    |---|---|---|---|
    | `is_success` | that stepped | (num_envs,) | bool |
    | `reset_vector` | that reset | (num_envs, k) | float64 |

    ## Arguments
    | Parameter | Type | Default | Description |
    |---|---|---|---|
    | `task` | **str** | of the id | Name of the task, such as `push` |
    | `num_envs` | **int** | `1` | Number of worlds |
    | `max_episode_steps` | **int** | `200` | Steps after which a world truncates |
    | `cameras` | **Sequence[str]** | `("front", "wrist")` | Cameras to observe, or none |
    | `image_size` | **int** | `64` | Height and width of the images, pixels |
    | `observe_state` | **bool** | `False` | Adds the privileged `state` |
    | `num_threads` | **int** | `None` | Threads; None for all cores; results do not depend on it |
    | `render_mode` | **str** | `None` | `rgb_array` or `None` |
    | `render_size` | **int** | `256` | Height and width of the frames that `render()` returns |
    | `randomisation` | **Randomisation** | `None` | What is drawn by episode; may be a mapping |
    | `autoreset_mode` | **AutoresetMode** | `NEXT_STEP` | When a truncated world starts anew |

    ## Attributes
    `task` is the name of the task and `instruction` what to do in words, as a policy is told it:
    `envs.unwrapped.instruction`. `envs.unwrapped.get_attr("instruction")` has it once for each
    world, as SyncVectorEnv's does.

    ## Version History
    * v0: Initial version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so.)
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        *,
        max_episode_steps: int = MAX_EPISODE_STEPS,
        cameras: Sequence[str] = CAMERAS,
        image_size: int = 64,
        observe_state: bool = False,
        num_threads: int | None = None,
        render_mode: str | None = None,
        render_size: int = 256,
        randomisation: Randomisation | Mapping[str, float] | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        mode = _autoreset_mode(autoreset_mode)
        ranges = randomisation_of(randomisation)
        check_render_mode(render_mode, self.metadata["render_modes"])
        check_counts(render_size=render_size, max_episode_steps=max_episode_steps)
        self._batched = BatchedEnv(
            task,
            num_envs,
            cameras=cameras,
            image_size=image_size,
            horizon=max_episode_steps,
            num_threads=num_threads,
            randomisation=ranges,
        )
        fps = render_fps(self._batched.task.control_dt)
        self.metadata = {**self.metadata, "render_fps": fps, "autoreset_mode": mode}
        self.task: str = self._batched.task.name
        self.instruction: str = self._batched.task.instruction
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.single_action_space = action_space()
        self.single_observation_space = observation_space(
            cameras, image_size, observe_state=observe_state, randomisation=ranges
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._render_size = render_size
        self._observe_state = observe_state
        self._generators = [seeding.np_random() for _ in range(num_envs)]
        self._has_ended = np.zeros(num_envs, dtype=np.bool_)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Random number generator of each world."""
        return tuple(generator for generator, _ in self._generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """Seed of each world's generator."""
        return tuple(seed for _, seed in self._generators)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, Info]:
        """Start episodes in all worlds, or in some.

        Args:
            seed: A number n seeds world i with n + i; a sequence has one seed, or None, for each
                world; None goes on with the generators that there are.
            options: `reset_mask`, shape (num_envs,), bool: worlds to reset, at least one, all if it
                is not given. `reset_vector`, shape (k,) or (num_envs, k): where to start instead.

        Returns:
            Observation of all worlds, and `info` with `reset_vector`, shape (num_envs, k).

        Raises:
            InvalidResetError: An unknown option, or a mask, seed or reset vector of another shape.
        """
        options = dict(check_options(options, ("reset_vector", "reset_mask")))
        mask = self._reset_mask(options)
        self._seed(seed, mask)
        info = self._start(mask, options.get("reset_vector"))
        return observe(self._batched, observe_state=self._observe_state), info

    def step(self, actions: Array) -> tuple[Observation, Array, Array, Array, Info]:
        """Advance the worlds by one control step; those that were truncated reset instead.

        Args:
            actions: Hand displacement xyz and finger effort, shape (num_envs, 4).

        Returns:
            Observation, reward, terminated, truncated, shape (num_envs,), and `info`.

        Raises:
            InvalidActionError: Wrong shape, NaN or infinity.
            InvalidResetError: A world was never reset, or has ended where nothing resets it.
            UnstableSimulationError: A world became NaN.
        """
        mode = self.metadata["autoreset_mode"]
        if mode is AutoresetMode.DISABLED and self._has_ended.any():
            raise InvalidResetError(
                f"world {int(self._has_ended.argmax())} has ended and autoreset is disabled; reset "
                "it first by options={'reset_mask': …}."
            )
        resets = self._has_ended & (mode is AutoresetMode.NEXT_STEP)
        batch = to_actions(actions, (self.num_envs, ACTION_SIZE))
        reward = np.zeros(self.num_envs, dtype=np.float64)
        truncated = np.zeros(self.num_envs, dtype=np.bool_)
        info: Info = {}
        if not resets.all():
            batch[torch.from_numpy(resets)] = 0.0  # Ignored, whatever it is: these worlds reset.
            result = self._batched.step(batch)
            reward = np.where(resets, 0.0, result.reward.cpu().numpy())
            truncated = ~resets & result.truncated.cpu().numpy()
            info = {
                "is_success": ~resets & result.is_success.cpu().numpy(),
                "_is_success": ~resets,
            }
        if resets.any():
            info |= self._start(resets, None)
        self._has_ended = truncated.copy()
        if mode is AutoresetMode.SAME_STEP and truncated.any():
            info = self._with_last(info, truncated) | self._start(truncated, None)
        observation = observe(self._batched, observe_state=self._observe_state)
        return observation, reward, np.zeros_like(truncated), truncated, info

    def render(self) -> tuple[Array, ...] | None:
        """Return the front view of each world, shape (render_size, render_size, 3), uint8.

        It is None without a render mode, as in all of Gymnasium's environments.
        """
        if self.render_mode is None:
            warn_without_render_mode()
            return None
        return tuple(render_frames(self._batched, self._render_size))

    def call(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each world, or what its `render` returns, as SyncVectorEnv does.

        Worlds step and reset together: `reset` with a `reset_mask` is for some of them.

        Args:
            name: `task`, `instruction`, `render_mode`, `metadata`, `action_space`,
                `observation_space`, `np_random`, `np_random_seed` or `render`.

        Raises:
            InvalidSettingError: Worlds have no such attribute.
        """
        if name == "render":
            return self.render() or (None,) * self.num_envs
        if name in ("np_random", "np_random_seed"):
            of_each: tuple[Any, ...] = getattr(self, name)
            return of_each
        shared = {
            "task": self.task,
            "instruction": self.instruction,
            "render_mode": self.render_mode,
            "metadata": {k: v for k, v in self.metadata.items() if k != "autoreset_mode"},
            "action_space": self.single_action_space,
            "observation_space": self.single_observation_space,
        }
        if name not in shared:
            allowed = (*shared, "np_random", "np_random_seed", "render")
            raise InvalidSettingError(
                f"a world has no attribute {name!r}{nearest(name, allowed)} of its own; it has "
                f"{', '.join(allowed)}."
            )
        return (shared[name],) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each world; see `call`."""
        return self.call(name)

    def _with_last(self, info: Info, ended: Mask) -> Info:
        """Return `info` of a step with that of the worlds that ended as their last one."""
        last = observe(self._batched, observe_state=self._observe_state)
        is_success = info["is_success"]
        told: Info = {}
        if not ended.all():
            told = {"is_success": ~ended & is_success, "_is_success": ~ended}
        for world in ended.nonzero()[0]:
            final = {
                "final_obs": {key: rows[world].copy() for key, rows in last.items()},
                "final_info": {"is_success": bool(is_success[world])},
            }
            told = self._add_info(told, final, int(world))
        return told

    def _start(self, mask: Mask, given: object) -> Info:
        """Start episodes in the masked worlds and return what `info` says of it."""
        vectors = reset_vectors(self._batched, self.np_random, mask, given)
        seeds = randomisation_seeds(self._batched, self.np_random, mask)
        self._batched.reset(torch.from_numpy(mask), seeds=seeds, reset_vectors=vectors)
        self._has_ended = self._has_ended & ~mask
        all_vectors = np.zeros((self.num_envs, vectors.shape[1]))
        all_vectors[mask] = vectors.numpy()
        return {"reset_vector": all_vectors, "_reset_vector": mask.copy()}

    def _reset_mask(self, options: Mapping[str, Any]) -> Mask:
        """Return which worlds reset."""
        mask = options.get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise InvalidResetError(
                f"the reset_mask has shape {mask.shape}, type {mask.dtype} and "
                f"{np.count_nonzero(mask)} worlds; it must have shape ({self.num_envs},), type "
                "bool and at least one world."
            )
        return mask

    def _seed(self, seed: int | Sequence[int | None] | None, mask: Mask) -> None:
        """Seed the generators of the masked worlds."""
        if seed is None:
            return
        if isinstance(seed, (int, np.integer)):
            seed = [int(seed) + world for world in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise InvalidResetError(
                f"reset got {len(seed)} seeds for {self.num_envs} worlds; give one for each, or "
                "one number."
            )
        for world, own_seed in enumerate(seed):
            if mask[world] and own_seed is not None:
                self._generators[world] = seeding.np_random(own_seed)


def _autoreset_mode(given: AutoresetMode | str) -> AutoresetMode:
    """Return a mode that is given as itself, or as its name or value, as specs of JSON hold it."""
    for mode in AutoresetMode:
        if given in (mode, mode.name, mode.value):
            return mode
    names = ", ".join(mode.name for mode in AutoresetMode)
    raise InvalidSettingError(f"autoreset_mode is {given!r}; it must be one of {names}.")
