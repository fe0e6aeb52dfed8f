"""What an optimiser keeps goes back to where its kernels look for it."""

import pytest
import torch
from torch import nn

from lam_agent.continual.capture import capture_optimizer, restore_optimizer


@pytest.mark.parametrize(("is_fused", "place"), [(True, "meta"), (False, "cpu")])
def test_the_step_of_a_fused_optimiser_is_beside_its_weight(is_fused: bool, place: str) -> None:
    trained = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(trained.parameters())
    trained(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    elsewhere = nn.Linear(2, 2, device="meta")  # A device that is not the CPU.
    other = torch.optim.AdamW(elsewhere.parameters())
    other.param_groups[0]["fused"] = is_fused
    restore_optimizer(elsewhere, other, capture_optimizer(trained, optimizer))
    state = other.state[elsewhere.weight]
    assert (state["step"].device.type, state["exp_avg"].device.type) == (place, "meta")
