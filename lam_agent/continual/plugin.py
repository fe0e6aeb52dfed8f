"""What a strategy is made of: Avalanche plugins that a run can carry on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    """

    state_name = ""
    remark = ""

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

    def prepare(self, view: Callable[[Frames], Frames]) -> None:
        """Look at frames of earlier tasks once more before an experience is trained.

        Args:
            view: Returns frames as training draws them: with features where encoders are frozen.
        """
