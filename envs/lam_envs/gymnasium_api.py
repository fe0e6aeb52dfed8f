"""LamEnv: one world of a task as a `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from lam_envs.batched import ACTION_SIZE, BatchedEnv, check_counts
from lam_envs.randomisation.ranges import Randomisation
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
    render_frames,
    reset_vectors,
    to_actions,
    warn_without_render_mode,
)

_NO_HORIZON = 2**62
_ONE_WORLD = np.ones(1, dtype=np.bool_)


class LamEnv(gymnasium.Env[Observation, Array]):
    """A Sawyer arm with a gripper at a table, seen by two cameras.

    ## Description
    The tasks are Meta-World v3's: the same physics, start states, rewards and success. Instead of
    its privileged state, an agent gets what a real robot has: camera images and proprioception.

    | Id | Task |
    |---|---|
    | `lam/Reach-v0` | Bring the gripper to the green marker in free space. |
    | `lam/Push-v0` | Push the red puck to the green marker on the table. |
    | `lam/DrawerOpen-v0` | Pull the drawer open. |
    | `lam/WindowClose-v0` | Push the sliding window shut. |
    | `lam/PickPlace-v0` | Carry the red puck to the green marker in the air. |
    | `lam/DoorOpen-v0` | Pull the safe's door open. |
    | `lam/DrawerClose-v0` | Push the drawer shut. |
    | `lam/ButtonPressTopdown-v0` | Press the button on top of the box. |
    | `lam/PegInsertSide-v0` | Put the green peg into the hole in the side of the box. |
    | `lam/WindowOpen-v0` | Push the sliding window open. |
    | `lam/PegUnplugSide-v0` | Pull the plug sideways out of its box. |
    | `lam/Hammer-v0` | Drive the nail into the block with the hammer. |
    | `lam/PushWall-v0` | Push the red puck around a wall to the green marker. |
    | `lam/FaucetClose-v0` | Turn the faucet's handle until it is closed. |
    | `lam/PushBack-v0` | Pull the block back to the green marker. |
    | `lam/StickPull-v0` | Pull the thermos to the green marker with the stick. |
    | `lam/HandlePressSide-v0` | Press the handle at the side of the box down. |
    | `lam/ShelfPlace-v0` | Put the blue block onto the shelf's board. |

    ```python
    import gymnasium
    env = gymnasium.make("lam_envs:lam/Push-v0")
    ```

    ## Action Space
    `Box(-1, 1, (4,), float32)`. Values outside are clipped; NaN is an error. One action is 12.5 ms
    (control at 80 Hz, five physics steps of 2.5 ms).

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

    `state` holds the current frame (18 numbers), the previous frame (18) and the goal xyz (3, m). A
    frame is hand xyz (m), gripper opening, and xyz (m) and quaternion of up to two objects, zeros
    where there is none. The first observation of an episode repeats its frame as the previous one.
    Its bounds are those of the hand, and elsewhere 1e10: beyond, MuJoCo calls a world unstable.

    ## Rewards
    Meta-World's dense reward in [0, 10], shaped by the distances of hand, object and goal; see the
    task's file in `lam_envs/tasks`. `info["is_success"]` says whether the task's predicate holds
    after this step; an episode counts as a success if it holds at any of its steps.

    | Task | `is_success` |
    |---|---|
    | reach | The point between the finger tips is within 5 cm of the goal. |
    | push | The puck is within 5 cm of the goal. |
    | drawer-open | The drawer's handle is within 3 cm of 20 cm open. |
    | window-close | The window's handle is within 5 cm of shut, along x. |
    | pick-place | The puck is within 7 cm of the goal. |
    | door-open | The door's handle is within 8 cm of its open position, along x. |
    | drawer-close | The drawer's handle is within 6.5 cm of shut. |
    | button-press-topdown | The button is within 2.4 cm of its pressed height. |
    | peg-insert-side | The peg's head is within 7 cm of the hole; y and z count twice. |
    | window-open | The window's handle is within 5 cm of open, along x. |
    | peg-unplug-side | The plug's end is within 7 cm of its place when 15 cm out. |
    | hammer | The nail is driven in by more than 9 cm. |
    | push-wall | The puck is within 7 cm of the goal. |
    | faucet-close | The handle's end is within 7 cm of its closed position. |
    | push-back | The block is within 7 cm of the goal. |
    | stick-pull | The stick is in the thermos' handle, which is within 12 cm of the goal. |
    | handle-press-side | The handle is within 2 cm of its pressed height. |
    | shelf-place | The block is within 7 cm of the goal. |

    ## Starting State
    The hand settles at its start with open fingers. The reset vector, in metres, is uniform:

    | Task | Hand | Reset vector | x | y | z |
    |---|---|---|---|---|---|
    | reach | (0, 0.6, 0.2) | puck xyz, | -0.1 to 0.1 | 0.6 to 0.7 | 0.02 |
    | | | goal xyz | -0.1 to 0.1 | 0.8 to 0.9 | 0.05 to 0.3 |
    | push | (0, 0.6, 0.2) | puck xyz, | -0.1 to 0.1 | 0.6 to 0.7 | of the table |
    | | | goal xyz | -0.1 to 0.1 | 0.8 to 0.9 | of the table |
    | drawer-open | (0, 0.6, 0.2) | drawer xyz | -0.1 to 0.1 | 0.9 | 0 |
    | window-close | (0, 0.4, 0.2) | window xyz | 0 | 0.75 to 0.9 | 0.2 |
    | pick-place | (0, 0.6, 0.2) | puck xyz, | -0.1 to 0.1 | 0.6 to 0.7 | 0.02 |
    | | | goal xyz | -0.1 to 0.1 | 0.8 to 0.9 | 0.05 to 0.3 |
    | door-open | (0, 0.6, 0.2) | safe xyz | 0 to 0.1 | 0.85 to 0.95 | 0.15 |
    | drawer-close | (0, 0.6, 0.2) | drawer xyz | -0.1 to 0.1 | 0.9 | 0 |
    | button-press-topdown | (0, 0.4, 0.2) | box xyz | -0.1 to 0.1 | 0.8 to 0.9 | 0.115 |
    | peg-insert-side | (0, 0.6, 0.2) | peg xyz, | 0 to 0.2 | 0.5 to 0.7 | 0.02 |
    | | | box xyz | -0.35 to -0.25 | 0.4 to 0.7 | ±0.001 |
    | window-open | (0, 0.4, 0.2) | window xyz | -0.1 to 0.1 | 0.7 to 0.9 | 0.16 |
    | peg-unplug-side | (0, 0.6, 0.2) | box xyz | -0.25 to -0.15 | 0.6 to 0.8 | ±0.001 |
    | hammer | (0, 0.4, 0.2) | hammer xyz | -0.1 to 0.1 | 0.4 to 0.5 | 0 |
    | push-wall | (0, 0.6, 0.2) | puck xyz, | -0.05 to 0.05 | 0.6 to 0.65 | of the table |
    | | | goal xyz | -0.05 to 0.05 | 0.85 to 0.9 | of the table |
    | faucet-close | (0, 0.4, 0.2) | faucet xyz | -0.1 to 0.1 | 0.8 to 0.85 | 0 |
    | push-back | (0, 0.6, 0.2) | block xyz, | -0.1 to 0.1 | 0.8 to 0.85 | of the table |
    | | | goal xyz | -0.1 to 0.1 | 0.6 to 0.7 | of the table |
    | stick-pull | (0, 0.6, 0.2) | stick xyz, | -0.1 to 0 | 0.55 to 0.65 | 0.02 |
    | | | goal xyz | 0.35 to 0.45 | 0.45 to 0.55 | 0.02 |
    | handle-press-side | (0, 0.6, 0.2) | box xyz | -0.35 to -0.25 | 0.65 to 0.75 | ±0.001 |
    | shelf-place | (0, 0.6, 0.2) | block xyz, | -0.1 to 0.1 | 0.5 to 0.6 | of the table |
    | | | goal xyz | -0.1 to 0.1 | 0.8 to 0.9 | 0.299 to 0.301 |

    Puck or block and goal are at least 15 cm apart along the table, peg and box 10 cm.
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
    | `randomisation` | **Randomisation** | `None` | Domain randomisation, drawn by episode |

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
        randomisation: Randomisation | None = None,
    ) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        check_counts(render_size=render_size)
        self.observation_space: gymnasium.Space[Any] = observation_space(
            cameras, image_size, observe_state=observe_state
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
            randomisation=randomisation,
        )

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
        """Advance by one control step of 12.5 ms.

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

    def _observation(self) -> Observation:
        batch = observe(self._batched, observe_state=self._observe_state)
        return {key: array[0] for key, array in batch.items()}
