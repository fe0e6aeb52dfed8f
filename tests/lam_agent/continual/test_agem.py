"""Averaged gradient episodic memory: when the gradient is projected, and onto what."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

MakeLab = Callable[..., Any]


class Watcher:
    """A plugin that notes the gradient before the projection, and the memory's."""

    def __init__(self) -> None:
        self.before: list[torch.Tensor] = []
        self.reference: list[torch.Tensor] = []
        self.after: list[torch.Tensor] = []

    def attach(self, plugin: Any) -> None:
        project, reference = plugin.before_update, plugin._reference

        def watched(strategy: Any, **kwargs: Any) -> None:
            self.before.append(flat(strategy.model))
            project(strategy, **kwargs)
            self.after.append(flat(strategy.model))

        def noted(strategy: Any, trained: Any) -> Any:
            found = reference(strategy, trained)
            self.reference.append(torch.cat([item.flatten() for item in found]))
            return found

        plugin.before_update, plugin._reference = watched, noted


def flat(model: torch.nn.Module) -> torch.Tensor:
    parts = [p for p in model.parameters() if p.requires_grad]
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parts])


@pytest.fixture
def opposed(make_lab: MakeLab, make_frames: Callable[..., Any]) -> tuple[Any, Watcher]:
    """A lab whose second task asks for the contrary of the first on the same frames."""
    first, second = make_frames(20, seed=1), make_frames(20, seed=1)
    second.actions = -first.actions
    settings = {"max_steps": 4, "auxiliary_weight": 0.0}  # Positions are the same in both.
    lab = make_lab("agem", visits={0: first, 1: second, 2: first}, adapt="trunk", **settings)
    watcher = Watcher()
    watcher.attach(lab.plugins[0])
    return lab, watcher


def test_the_first_task_has_no_memory(opposed: tuple[Any, Watcher]) -> None:
    lab, watcher = opposed
    lab.train(0)
    assert watcher.reference == []
    pairs = zip(watcher.before, watcher.after, strict=True)
    assert all(torch.equal(before, after) for before, after in pairs)


def test_a_gradient_against_the_memory_is_projected_and_no_other(
    opposed: tuple[Any, Watcher],
) -> None:
    lab, watcher = opposed
    lab.train(0, 1, 2)
    before, after = watcher.before[4:], watcher.after[4:]
    assert len(watcher.reference) == len(before) == 8
    projected = 0
    for gradient, memory, result in zip(before, watcher.reference, after, strict=True):
        inner = gradient @ memory
        if inner < 0:
            projected += 1
            assert abs(float(result @ memory)) < 1e-3 * float(memory @ memory)
            expected = gradient - inner / (memory @ memory) * memory
            torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-6)
        else:
            assert torch.equal(result, gradient)
    assert projected > 0


def test_the_memory_is_a_replay_buffer_without_outputs(opposed: tuple[Any, Watcher]) -> None:
    lab, _ = opposed
    lab.train(0, 1)
    (plugin,) = lab.plugins
    assert [len(frames) for frames in plugin.buffer.tasks] == [20, 20]
    assert all(frames.outputs is None for frames in plugin.buffer.tasks)
