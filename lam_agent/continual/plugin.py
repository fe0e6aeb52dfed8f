"""What a strategy is made of: Avalanche plugins that a run can carry on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lam_agent.continual.avalanche_import import import_avalanche
from lam_agent.continual.batches import Frames

import_avalanche()

from avalanche.core import BasePlugin, SupervisedPlugin  # noqa: E402

__all__ = ["BasePlugin", "StrategyPlugin", "SupervisedPlugin"]


class StrategyPlugin(SupervisedPlugin):  # type: ignore[misc]
    """A plugin whose tensors are kept with the end of each experience.

    A plugin that carries something from one experience to the next gives it by `state` and takes it
    by `load_state`; a run that is stopped then goes on to the same numbers. Avalanche's hooks
    (`before_training_exp`, `before_backward`, `before_update`, ...) get the strategy, an
    `AdaptationStrategy`, as their first argument.

    Attributes:
        state_name: Name of the plugin among those of its strategy.
        remark: What a run shall say of the experience that was just trained; empty for nothing.
        changes_in_training: Whether `state` changes between two gradient steps, too; snapshots
            within an experience then hold it. Where it changes at the end of one alone, False saves
            them that.
    """

    state_name = ""
    remark = ""
    changes_in_training = True

    def state(self) -> dict[str, torch.Tensor]:
        """Return what is carried from one experience to the next, as named tensors, for a file."""
        return {}

    def load_state(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Undo `state`.

        Args:
            state: What `state` returned, on the CPU.
            device: Device of the policy.
        """

    @property
    def num_bytes(self) -> int:
        """Bytes of what is carried."""
        return sum(value.numel() * value.element_size() for value in self.state().values())

    @property
    def replay_bytes(self) -> int:
        """Bytes of old tasks' frames, where the plugin keeps some for replay."""
        return 0

    def take_earlier(self, earlier: Sequence[Frames]) -> None:
        """Take the frames of all experiences before the one that is trained next.

        Called where a run goes on, for plugins that keep all data; a run has the demonstrations
        anyway, so that these need not be among the tensors.

        Args:
            earlier: Frames of each experience, with images.
        """

    def check_room(self, strategy: Any, frames: Sequence[Frames]) -> None:
        """Refuse a task stream for which the plugin has no room, before the first task is learned.

        Args:
            strategy: The strategy.
            frames: A frame of each task, with images.
        """

    def remember(
        self, strategy: Any, task: str, frames: Frames, generator: torch.Generator
    ) -> None:
        """Keep frames of a task that the policy has learned before the stream.

        Args:
            strategy: The strategy, whose policy is the initial one.
            task: Name of the task.
            frames: Its frames, with images, or with the features and outputs of a memory.
            generator: Source of the draws.
        """

    def kept(self) -> tuple[Mapping[str, Frames], Sequence[Frames]]:
        """Return the frames that the plugin keeps, of which a checkpoint carries some.

        Returns:
            Those of tasks from before the stream by name, and of those learned in it, in order.
        """
        return {}, ()

    def prepare(self, view: Callable[[Frames], Frames]) -> None:
        """Look at frames of earlier tasks once more before an experience is trained.

        Args:
            view: Returns frames as training draws them: with features where encoders are frozen.
        """
