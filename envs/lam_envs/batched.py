"""BatchedEnv: many worlds of one task; torch in, torch out, explicit reset(mask)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch

from lam_envs.camera import HIDDEN_POS, CameraRenderer
from lam_envs.checks import check_cameras, check_counts
from lam_envs.cores import available_cores
from lam_envs.errors import InvalidActionError, InvalidResetError, InvalidSettingError
from lam_envs.instability import OnUnstable, check_on_unstable, unstable_error
from lam_envs.looks import standard_appearance
from lam_envs.randomisation.randomiser import Randomiser
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.scene import CAMERAS, load_model
from lam_envs.sim.buffers import room_of
from lam_envs.sim.making import Engine, make_sim
from lam_envs.starts import vectors_of, worlds_to_reset
from lam_envs.tasks.base import Task
from lam_envs.tasks.checks import FiniteNumbers, check_drivable, check_outcome, check_rows
from lam_envs.tasks.registry import make_task
from lam_envs.tasks.sawyer import ACTION_SIZE, POSES, STATE_SIZE
from lam_envs.tasks.task_worlds import TaskWorlds
from lam_envs.tensors import constant, upload, write

CONTROL_DT_S = 0.0125
"""Seconds between two actions (80 Hz) of Meta-World's tasks; another task may say otherwise."""


@dataclass(frozen=True)
class StepResult:
    """What one control step returned, for all worlds.

    Attributes:
        state: Clipped 39-D state after the step, shape (num_envs, 39).
        reward: Dense reward in [0, 10], shape (num_envs,).
        is_success: Whether the task's predicate holds now, shape (num_envs,), bool.
        terminated: Always False: Meta-World's tasks do not end, shape (num_envs,), bool.
        truncated: Whether the horizon is reached, or the episode was dropped, (num_envs,), bool.
        is_unstable: Whether the episode was dropped because the physics broke in it, at this step
            or before, shape (num_envs,), bool; its reward and success are 0 and False.
    """

    state: torch.Tensor
    reward: torch.Tensor
    is_success: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor
    is_unstable: torch.Tensor


OnReset: TypeAlias = "Callable[[BatchedEnv, torch.Tensor], None]"
"""What changes worlds that start an episode, in batch: it gets them all, and their mask."""


class BatchedEnv:
    """`num_envs` worlds of one task, stepped together.

    Nothing is rendered until `images()` is called: a policy that outputs action chunks looks only
    when it needs a new chunk.

    Args:
        task: Name of a task, or a task.
        num_envs: Number of worlds.
        cameras: Cameras that `images()` renders; empty for none.
        image_size: Height and width of the images, pixels.
        horizon: Control steps after which `truncated` is True.
        engine: Physics engine.
        num_threads: Threads for physics and cameras; None for all cores.
        on_unstable: What happens when the physics of a world breaks: `raise` an error, or `drop`
            its episode, which then stands still until it is reset, and go on with the others.
        randomisation: How far looks, cameras and physics differ between episodes; None for not.
        device: Where physics, cameras and all tensors are: `cpu`, `cuda` or `cuda:1`. The native
            engine is for `cpu`.
        defer_checks: Whether `step` and `reset` leave mistakes and broken worlds to `check`, so
            that they do not wait for their device; None: on a GPU.
        on_reset: Called in each reset with this environment and the mask of the worlds that start
            an episode, on the device, before their hands settle. It may write rows of `looks` and
            of `sim.model_field(name)` in place; they keep what was written until it is written
            again, so that `rows[mask] *= 2` doubles them at each reset.
        varies_physics: Whether `on_reset` writes `RANDOMISED_FIELDS`, which then differ between
            worlds; they are the same in all of them otherwise.

    Raises:
        UnknownTaskError: No task has this name.
        InvalidSettingError: A number is out of its range, or a camera is unknown.
        LamEnvsError: The task or its scene cannot be loaded.
    """

    def __init__(
        self,
        task: str | Task,
        num_envs: int,
        *,
        cameras: Sequence[str] = CAMERAS,
        image_size: int = 64,
        horizon: int = 200,
        engine: Engine = "native",
        num_threads: int | None = None,
        on_unstable: OnUnstable = "raise",
        randomisation: Randomisation | None = None,
        device: str = "cpu",
        defer_checks: bool | None = None,
        on_reset: OnReset | None = None,
        varies_physics: bool = False,
    ) -> None:
        check_on_unstable(on_unstable)
        check_counts(
            num_envs=num_envs, image_size=image_size, horizon=horizon, num_threads=num_threads
        )
        check_cameras(cameras)
        if not isinstance(randomisation, Randomisation | None):
            raise InvalidSettingError(
                f"randomisation is {randomisation!r}; it must be a Randomisation or None."
            )
        if not isinstance(task, str | Task):
            raise InvalidSettingError(f"task is {task!r}; it must be a task or the name of one.")
        self.task = make_task(task) if isinstance(task, str) else task
        self.num_envs = num_envs
        self.cameras = tuple(cameras)
        self.image_size = image_size
        self.horizon = horizon
        self.num_threads = num_threads or available_cores()
        self.on_unstable = on_unstable
        self.model = load_model(self.task.model_file)
        check_drivable(self.task, float(self.model.opt.timestep))
        varies = varies_physics or (randomisation is not None and randomisation.changes_physics)
        self.sim = make_sim(
            engine,
            self.model,
            num_envs,
            device=device,
            num_threads=self.num_threads,
            varies=varies,
            room=room_of(self.task.name),
        )
        self.defers_checks = self.device.type != "cpu" if defer_checks is None else defer_checks
        self.worlds = TaskWorlds(self.sim, self.task, settles_each=varies)
        self._renderers: dict[tuple[tuple[str, ...], int], CameraRenderer] = {}
        self.on_reset = on_reset
        self._varies_physics = varies
        self._randomiser = None
        if randomisation is not None and randomisation.is_on:
            self._randomiser = Randomiser(self.sim, randomisation, self.looks)
        self._needs_reset = torch.ones(num_envs, dtype=torch.bool, device=self.sim.device)
        self._is_dropped = torch.zeros_like(self._needs_reset)
        # Noted by steps whose checks are deferred.
        self._finite = FiniteNumbers(self.task.name, is_deferred=self.defers_checks)
        self._acted_badly = torch.zeros_like(self._needs_reset)
        self._stepped_early = torch.zeros_like(self._needs_reset)
        self._broke_at = torch.zeros(num_envs, dtype=torch.int64, device=self.sim.device)
        self._steps = torch.zeros(num_envs, dtype=torch.int64, device=self.sim.device)
        size = len(self.task.reset_low)
        self._vectors = torch.zeros(num_envs, size, dtype=self.sim.dtype, device=self.sim.device)
        self._state = torch.zeros(
            num_envs, STATE_SIZE, dtype=self.sim.dtype, device=self.sim.device
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors of this environment live."""
        return self.sim.device

    @property
    def is_randomised(self) -> bool:
        """Whether looks, cameras or physics differ between episodes: `reset` then needs seeds."""
        return self._randomiser is not None

    @cached_property
    def looks(self) -> dict[str, torch.Tensor]:
        """How the worlds look to the cameras: attributes of `Appearance`, rows of all worlds.

        `on_reset` may write them in place; they are on the device and keep what was written.
        """
        tensors = standard_appearance(self.model, self.num_envs).tensors()
        return {name: rows.to(self.device) for name, rows in tensors.items()}

    @property
    def state(self) -> torch.Tensor:
        """State after the last reset or step, shape (num_envs, 39)."""
        return self._state

    def reset(
        self,
        mask: torch.Tensor | None = None,
        *,
        seeds: Sequence[int | np.random.SeedSequence] | None = None,
        reset_vectors: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Start new episodes.

        Args:
            mask: Worlds to reset, shape (num_envs,), bool; None for all. Best on the CPU: one on a
                GPU must be waited for.
            seeds: One seed for each masked world, from which its reset vector is drawn, and what
                is randomised.
            reset_vectors: Instead of seeds, shape (mask.sum(), k); together with seeds where the
                worlds are randomised. Best on the CPU, too.

        Returns:
            State of all worlds, shape (num_envs, 39).

        Raises:
            InvalidResetError: Wrong shapes, NaN, or not what is needed of seeds and reset_vectors.
            TaskLoadError: The task gives poses of another shape, or NaN in them.
            UnstableSimulationError: A world broke while its hand settled.

        Where checks are deferred, it does not wait for the device: `check` raises the last one, and
        tells what was noted before.
        """
        resets = worlds_to_reset(mask, self.num_envs)
        vectors = vectors_of(
            self.task, resets, seeds, reset_vectors, is_randomised=self.is_randomised
        )
        mask = upload(torch.from_numpy(resets), torch.bool, self.device)
        rows = upload(torch.from_numpy(vectors), self.sim.dtype, self.device)
        write(self._vectors, mask, rows)
        if self._randomiser is not None and seeds is not None:
            self._randomiser.draw(resets, seeds)
        self._vary(mask)
        self._begin(mask)
        return self._state

    def step(self, actions: torch.Tensor) -> StepResult:
        """Advance all worlds by one control step of `task.control_dt` seconds.

        Args:
            actions: Hand displacement xyz (1 is 1 cm) and gripper effort (1 closes), shape
                (num_envs, 4); clipped to [-1, 1].

        Raises:
            InvalidActionError: Wrong shape, NaN or infinity.
            InvalidResetError: A world was never reset.
            TaskLoadError: The task gives tensors of other shapes, or NaN in them.
            UnstableSimulationError: A world became NaN or lost contacts; it needs a reset.

        Where checks are deferred, `check` raises these, and worlds that broke are dropped at once.
        """
        if not isinstance(actions, torch.Tensor):
            raise InvalidActionError(
                f"actions are a {type(actions).__name__}; they must be a torch.Tensor of shape "
                f"({self.num_envs}, {ACTION_SIZE})."
            )
        if tuple(actions.shape) != (self.num_envs, ACTION_SIZE):
            raise InvalidActionError(
                f"actions have shape {tuple(actions.shape)}; "
                f"they must have shape ({self.num_envs}, {ACTION_SIZE})."
            )
        actions = upload(actions, torch.float32, self.device)
        if self.defers_checks:
            self._acted_badly |= ~actions.isfinite().all(1)
            self._stepped_early |= self._needs_reset
            return self._advance(actions.nan_to_num(0.0, 0.0, 0.0).clamp(-1.0, 1.0))
        if not bool(torch.isfinite(actions).all()):
            world = int((~torch.isfinite(actions)).any(1).nonzero()[0])
            raise InvalidActionError(
                f"the action of world {world} is {actions[world].tolist()}; actions must be finite."
            )
        if bool(self._needs_reset.any()):
            raise InvalidResetError("step was called before reset; reset every world first.")
        return self._advance(actions.clamp(-1.0, 1.0))

    def check(self) -> None:
        """Tell of mistakes and broken worlds since the last call, where checks are deferred.

        Call it when a rollout ends: it waits for the device, which `step` and `reset` do not.

        Raises:
            InvalidActionError: An action was NaN or infinite; it counted as 0.
            InvalidResetError: A world was stepped before it was reset.
            TaskLoadError: The task gave NaN or infinity: in poses, rewards or its expert's actions.
            UnstableSimulationError: A world became NaN or lost contacts; it needs a reset.
        """
        early, bad = self._stepped_early.clone(), self._acted_badly.clone()
        self._stepped_early.zero_()
        self._acted_badly.zero_()
        not_finite = self._finite.take()
        if bool(early.any()):
            raise InvalidResetError("step was called before reset; reset every world first.")
        if not_finite is not None:
            raise not_finite
        if bool(bad.any()):
            raise InvalidActionError(
                f"an action of world {int(bad.nonzero()[0])} was not finite; actions must be "
                "finite."
            )
        self._drop_unstable()

    def _vary(self, mask: torch.Tensor) -> None:
        """Let the caller change the masked worlds, and take over what was drawn and changed."""
        if self.on_reset is not None:
            self.on_reset(self, mask)
        if self._varies_physics:
            self.sim.refresh_constants(mask)
        if self.on_reset is not None or self._randomiser is not None:
            for renderer in self._renderers.values():
                self._dress(renderer)

    def _begin(self, mask: torch.Tensor) -> None:
        """Begin episodes in the masked worlds, from their reset vectors."""
        if self.defers_checks:
            self.sim.mend(mask)
        before = self._state
        self._state = torch.where(mask[:, None], self.worlds.reset(mask, self._vectors), before)
        for noted in (self._steps, self._needs_reset, self._is_dropped):
            noted.masked_fill_(mask, 0)
        self._leave_out_broken(before)
        self._see_finite("object_poses", self._state[:, POSES])

    def _advance(self, actions: torch.Tensor) -> StepResult:
        """Advance all worlds by one control step with actions in [-1, 1]."""
        before = self._state
        self._state = self.worlds.step(actions)
        self._steps += 1
        self._leave_out_broken(before)
        self._see_finite("object_poses", self._state[:, POSES])
        outcome = self.task.evaluate(self.worlds, self._state, actions)
        check_outcome(self.task.name, outcome, self.num_envs)
        self._see_finite("the reward of evaluate", outcome.reward)
        dropped = self._is_dropped
        return StepResult(
            state=self._state,
            reward=outcome.reward.masked_fill(dropped, 0.0),
            is_success=outcome.is_success & ~dropped,
            terminated=torch.zeros_like(outcome.is_success),
            truncated=(self._steps >= self.horizon) | dropped,
            is_unstable=dropped.clone(),
        )

    def proprioception(self) -> torch.Tensor:
        """Return hand xyz (metres) and gripper opening in [0, 1], shape (num_envs, 4), float32.

        The hand's height is that over the robot's foot, as a robot knows it.
        """
        readings = self._state[:, :4].to(torch.float32, copy=True)
        if self._randomiser is not None:
            readings[:, 2] += self._randomiser.table_height
        return readings

    def images(
        self, cameras: Sequence[str] | None = None, image_size: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Render the cameras in every world, as they are now.

        Args:
            cameras: Other cameras than those of the settings.
            image_size: Another height and width than that of the settings, pixels.

        Returns:
            Camera name -> RGB, shape (num_envs, image_size, image_size, 3), uint8.
        """
        key = (
            self.cameras if cameras is None else tuple(cameras),
            self.image_size if image_size is None else image_size,
        )
        if not key[0]:
            return {}
        if key not in self._renderers:
            check_cameras(key[0])
            check_counts(image_size=key[1])
            self._renderers[key] = CameraRenderer(
                self.model,
                self.num_envs,
                cameras=key[0],
                image_size=key[1],
                num_threads=self.num_threads,
                device=self.device,
            )
            self._dress(self._renderers[key])
        goal = self.worlds.start.target_pos if self.task.shows_goal else None
        if (roaming := self._roaming_marker()) is not None:
            is_shown, places = roaming
            goal = torch.where(is_shown[:, None], places, constant(HIDDEN_POS, places))
        return self._renderers[key].render(self.sim, goal)

    def expert_actions(self) -> torch.Tensor:
        """Return the scripted expert's actions in the current state, (num_envs, 4), float32."""
        return self._as_actions("expert", self.task.expert(self._state))

    def teacher_actions(self) -> torch.Tensor:
        """Return the actions that demonstrations show now, (num_envs, 4), float32."""
        method = "expert" if type(self.task).teacher is Task.teacher else "teacher"
        return self._as_actions(method, self.task.teacher(self._state))

    def _as_actions(self, name: str, actions: torch.Tensor) -> torch.Tensor:
        """Return what a task shows as actions in [-1, 1]."""
        check_rows(self.task.name, name, actions, (self.num_envs, ACTION_SIZE))
        self._see_finite(name, actions)
        return actions.to(torch.float32).clamp(-1.0, 1.0)

    def tracked_positions(self) -> torch.Tensor:
        """Return object and goal position, shape (num_envs, 6), float32, metres.

        Where randomisation lets the marker roam, its position stands in place of the goal's.
        """
        tracked = self.task.tracked_positions(self._state)
        if (roaming := self._roaming_marker()) is not None:
            is_shown, places = roaming
            goal = torch.where(is_shown[:, None], places.to(tracked), tracked[:, 3:])
            tracked = torch.cat((tracked[:, :3], goal), 1)
        return tracked.to(torch.float32)

    def _dress(self, renderer: CameraRenderer) -> None:
        """Give a renderer the looks that the worlds have now."""
        renderer.dress(self.looks, self._randomiser.shifts if self._randomiser else None)

    def _roaming_marker(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return in which worlds the marker roams, and where; None if it never does here."""
        marker = self._randomiser.marker if self._randomiser is not None else None
        if marker is None or self.task.shows_goal:
            return None
        return marker.is_shown, marker.positions(self._steps, self._state[:, :3])

    def _see_finite(self, name: str, values: torch.Tensor) -> None:
        """Refuse, or note, what a task gives that is not finite, but for worlds without a state."""
        self._finite.see(name, values, self._is_dropped | self._needs_reset)

    def _leave_out_broken(self, before: torch.Tensor) -> None:
        """Leave the episodes of broken worlds out, in the state before where nothing may wait."""
        if self.defers_checks:
            self._drop_at_once(before)
        else:
            self._drop_unstable()

    def _drop_at_once(self, before: torch.Tensor) -> None:
        """Leave the episodes of broken worlds out, in the state before, and wait for nothing."""
        is_new = self.sim.broken() & ~self._is_dropped
        self._broke_at = torch.where(is_new, self._steps, self._broke_at)
        self._is_dropped |= is_new
        self._state = torch.where(self._is_dropped[:, None], before, self._state)

    def _drop_unstable(self) -> None:
        """Leave the episodes of broken worlds out, or raise the error that names one."""
        reasons = self.sim.take_unstable()
        if not reasons:
            return
        broken = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        broken[list(reasons)] = True
        if self.defers_checks:
            broken &= self._is_dropped  # The others have started anew since.
        self._state = torch.where(broken[:, None], self.worlds.park(broken), self._state)
        if self.on_unstable == "raise":
            self._needs_reset |= broken
            steps = self._broke_at if self.defers_checks else self._steps
            raise unstable_error(self.task.name, reasons, steps)
        self._is_dropped |= broken
