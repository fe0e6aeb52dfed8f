"""LamEnv: one world of a task as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle

from lam_envs.batched import BatchedEnv
from lam_envs.checks import check_counts
from lam_envs.randomisation.ranges import Randomisation, randomisation_of
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

_NO_HORIZON = 2**62
_ONE_WORLD = np.ones(1, dtype=np.bool_)


class LamEnv(gymnasium.Env[Observation, Array], EzPickle):
    """A Sawyer arm with a gripper at a table, seen by two cameras.

    ## Description
    The tasks are Meta-World v3's: the same physics, start states, rewards and success. Instead of
    its privileged state, an agent gets what a real robot has: camera images and proprioception.

    There are fifty, from `lam/Reach-v0` to `lam/SweepInto-v0`. docs/environments.md has a table of
    them: what to do, when it succeeds, where it starts, which tasks share a scene.
    `lam-agent list-tasks` prints them with the tasks of other packages.

    ```python
    import gymnasium
    env = gymnasium.make("lam_envs:lam/Push-v0")
    ```

    ## Action Space
    `Box(-1, 1, (4,), float32)`. Values outside are clipped; NaN is an error. One action is 12.5 ms
    (control at 80 Hz, five physics steps of 2.5 ms), in tasks of one's own their `control_dt`;
    `metadata["render_fps"]` is its rate.

    | Num | Action | Min | Max | Unit of 1 |
    |---|---|---|---|---|
    | 0 | Displacement of the hand's target along x (to the robot's right) | -1 | 1 | 1 cm |
    | 1 | Displacement of the hand's target along y (away from the robot) | -1 | 1 | 1 cm |
    | 2 | Displacement of the hand's target along z (up) | -1 | 1 | 1 cm |
    | 3 | Effort of the fingers; 1 closes, -1 opens | -1 | 1 | full effort |

    ## Observation Space
    A flat `Dict`. Neither the goal nor any object pose is in it, but for `state`.

    | Key | Observation | Shape | Type | Min | Max | Unit |
    |---|---|---|---|---|---|---|
    | `front` | Fixed camera, RGB, of the workspace | (64, 64, 3) | uint8 | 0 | 255 | |
    | `wrist` | Camera on the hand, RGB | (64, 64, 3) | uint8 | 0 | 255 | |
    | `proprioception[0]` | Hand x | (4,) | float32 | -0.525 | 0.525 | m |
    | `proprioception[1]` | Hand y | | | 0.348 | 1.025 | m |
    | `proprioception[2]` | Hand z | | | -0.0525 | 0.7 | m |
    | `proprioception[3]` | Gripper opening | | | 0 | 1 | 10 cm |
    | `state` | With `observe_state=True` only: Meta-World's state | (39,) | float64 | | | |

    Hand z is that over the robot's foot: with `table_height_m` of randomisation, its bounds are
    wider by that on both sides.

    `state` holds the current frame (18 numbers), the previous frame (18) and the goal xyz (3, m). A
    frame is hand xyz (m), gripper opening, and xyz (m) and quaternion of up to two objects, zeros
    where there is none. The first observation of an episode repeats its frame as the previous one.
    Its bounds are those of the hand, and elsewhere 1e10: beyond, MuJoCo calls a world unstable.

    ## Rewards
    Meta-World's dense reward in [0, 10], shaped by the distances of hand, object and goal; see the
    task's file in `lam_envs/tasks`. `info["is_success"]` says whether the task's predicate holds
    after this step; an episode counts as a success if it holds at any of its steps.

    ## Starting State
    The hand settles with open fingers, above the table. The reset vector says where the objects and
    the goal are; it is drawn uniformly from the task's range, in metres.
    `reset(seed=n)` starts where `BatchedEnv.reset(seeds=[n])` does.
    `reset(options={"reset_vector": vector})` starts at a vector of one's own and draws nothing;
    `info["reset_vector"]` of every reset is the one that was used.

    ## Episode End
    ### Termination
    Never: Meta-World's tasks do not end.

    ### Truncation
    `gymnasium.make` truncates after 200 steps (its `max_episode_steps`); a `LamEnv` that is made
    without it does not truncate.

    ## Arguments
    | Parameter | Type | Default | Description |
    |---|---|---|---|
    | `task` | **str** | of the id | Name of the task, such as `push` |
    | `cameras` | **Sequence[str]** | `("front", "wrist")` | Cameras to observe, or none |
    | `image_size` | **int** | `64` | Height and width of the images, pixels |
    | `observe_state` | **bool** | `False` | Adds the privileged `state` |
    | `num_threads` | **int** | `1` | Threads; results do not depend on it |
    | `render_mode` | **str** | `None` | `rgb_array` or `None` |
    | `render_size` | **int** | `256` | Height and width of `render()`'s front view |
    | `randomisation` | **Randomisation** | `None` | What is drawn by episode; may be a mapping |

    ## Attributes
    `task` is the name of the task and `instruction` what to do in words, as a policy is told it:
    `env.get_wrapper_attr("instruction")`.

    ## Copies
    `copy.deepcopy` and `pickle` make an environment anew, of the same arguments: the copy is in no
    episode and must be reset, and goes on with no seed.

    ## Version History
    * v0: Initial version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (Gymnasium declares it so.)
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        task: str,
        *,
        cameras: Sequence[str] = CAMERAS,
        image_size: int = 64,
        observe_state: bool = False,
        num_threads: int | None = 1,
        render_mode: str | None = None,
        render_size: int = 256,
        randomisation: Randomisation | Mapping[str, float] | None = None,
    ) -> None:
        EzPickle.__init__(
            self,
            task,
            cameras=cameras,
            image_size=image_size,
            observe_state=observe_state,
            num_threads=num_threads,
            render_mode=render_mode,
            render_size=render_size,
            randomisation=randomisation,
        )
        ranges = randomisation_of(randomisation)
        check_render_mode(render_mode, self.metadata["render_modes"])
        check_counts(render_size=render_size)
        self.observation_space: gymnasium.Space[Any] = observation_space(
            cameras, image_size, observe_state=observe_state, randomisation=ranges
        )
        self.action_space = action_space()
        self.render_mode = render_mode
        self._render_size = render_size
        self._observe_state = observe_state
        self._batched = BatchedEnv(
            task,
            1,
            cameras=cameras,
            image_size=image_size,
            horizon=_NO_HORIZON,
            num_threads=num_threads,
            randomisation=ranges,
        )
        fps = render_fps(self._batched.task.control_dt)
        self.metadata = {**self.metadata, "render_fps": fps}
        self.task: str = self._batched.task.name
        self.instruction: str = self._batched.task.instruction

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Start an episode.

        Args:
            seed: Seed of `np_random`, from which this and the following starts are drawn.
            options: `reset_vector`, shape (k,): where to start instead.

        Returns:
            Observation, and `info` with `reset_vector`, shape (k,).

        Raises:
            InvalidResetError: An unknown option, or a reset vector of another shape.
        """
        super().reset(seed=seed)
        given = check_options(options, ("reset_vector",)).get("reset_vector")
        vectors = reset_vectors(self._batched, [self.np_random], _ONE_WORLD, given)
        seeds = randomisation_seeds(self._batched, [self.np_random], _ONE_WORLD)
        self._batched.reset(seeds=seeds, reset_vectors=vectors)
        return self._observation(), {"reset_vector": vectors[0].numpy()}

    def step(self, action: Array) -> tuple[Observation, float, bool, bool, Info]:
        """Advance by one control step.

        Args:
            action: Hand displacement xyz and finger effort, shape (4,).

        Returns:
            Observation, reward, terminated, truncated, and `info` with `is_success`.

        Raises:
            InvalidActionError: Wrong shape, NaN or infinity.
            UnstableSimulationError: The world became NaN.
        """
        result = self._batched.step(to_actions(action, (ACTION_SIZE,)))
        info = {"is_success": bool(result.is_success[0])}
        return self._observation(), float(result.reward[0]), False, False, info

    def render(self) -> Array | None:
        """Return the front view, shape (render_size, render_size, 3), uint8.

        It is None without a render mode, as in all of Gymnasium's environments.
        """
        if self.render_mode is None:
            warn_without_render_mode()
            return None
        frame: Array = render_frames(self._batched, self._render_size)[0]
        return frame

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "spec": self.spec}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.spec = state["spec"]

    def _observation(self) -> Observation:
        batch = observe(self._batched, observe_state=self._observe_state)
        return {key: array[0] for key, array in batch.items()}
