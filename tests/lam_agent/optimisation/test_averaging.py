"""The running average: applied for a while, put in for good, and only of what is trained."""

import pytest
import torch
from torch import nn

from lam_agent.optimisation.averaging import RunningAverage


def test_the_average_is_applied_and_taken_off() -> None:
    module = nn.Linear(2, 1)
    average = RunningAverage(module, 0.5)
    before = module.weight.detach().clone()
    with torch.no_grad():
        module.weight.add_(1.0)
    average.update(1)
    now = module.weight.detach().clone()
    with average.applied():
        inside = module.weight.detach().clone()
    assert torch.equal(module.weight, now)
    share = float(((inside - before) / (now - before)).mean())
    assert share == pytest.approx(1 - 2 / 11)


def test_what_is_frozen_is_left_alone() -> None:
    module = nn.Linear(2, 1)
    module.bias.requires_grad_(False)
    average = RunningAverage(module, 0.5)
    assert set(average.weights) == {"weight"}
    with torch.no_grad():
        module.bias.fill_(7.0)
    average.write({"weight": torch.full((1, 2), 3.0)})
    assert module.bias.tolist() == [7.0] and module.weight.tolist() == [[3.0, 3.0]]
