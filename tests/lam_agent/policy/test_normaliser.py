"""The normaliser: frozen and exact."""

import torch

from lam_agent.policy.normaliser import (
    PIXEL_MEAN,
    PIXEL_SCALE,
    WORKSPACE_CENTRE_M,
    WORKSPACE_SCALE_M,
    Normaliser,
)


def test_it_has_no_parameter_and_all_of_it_is_in_the_state_dict() -> None:
    normaliser = Normaliser()
    assert list(normaliser.parameters()) == []
    assert set(normaliser.state_dict()) == {"pixel_mean", "pixel_scale", "centre", "scale"}


def test_another_normaliser_loads_from_the_state_dict() -> None:
    other = Normaliser()
    other.get_buffer("centre").add_(1.0)
    values = torch.rand(3, 4)
    mine = Normaliser()
    assert not torch.equal(mine.proprioception(values), other.proprioception(values))
    mine.load_state_dict(other.state_dict())
    assert torch.equal(mine.proprioception(values), other.proprioception(values))


def test_pixels_are_centred_scaled_and_channels_last() -> None:
    images = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    images[0, 1, 2] = torch.tensor([255, 43, 0])
    normal = Normaliser().pixels(images)
    assert normal.shape == (2, 3, 4, 5)
    assert normal.is_contiguous(memory_format=torch.channels_last)
    means = torch.tensor(PIXEL_MEAN)
    torch.testing.assert_close(
        normal[0, :, 1, 2], (torch.tensor([255.0, 43.0, 0.0]) - means) / PIXEL_SCALE
    )
    torch.testing.assert_close(normal[1, :, 3, 4], -means / PIXEL_SCALE)


def test_the_middle_of_the_workspace_is_zero() -> None:
    normaliser = Normaliser()
    centre = torch.tensor([*WORKSPACE_CENTRE_M, 0.5])
    assert not normaliser.proprioception(centre[None]).any()
    edge = centre + torch.tensor([WORKSPACE_SCALE_M, 0.0, -WORKSPACE_SCALE_M, 0.5])
    torch.testing.assert_close(
        normaliser.proprioception(edge[None]), torch.tensor([[1.0, 0.0, -1.0, 1.0]])
    )


def test_positions_go_there_and_back() -> None:
    normaliser = Normaliser()
    metres = torch.tensor([[0.1, 0.6, 0.02, -0.1, 0.9, 0.3]])
    normal = normaliser.positions(metres)
    torch.testing.assert_close(normal, torch.tensor([[1.0, -1.0, -1.3, -1.0, 2.0, 1.5]]))
    torch.testing.assert_close(normaliser.to_metres(normal), metres)


# Random shift ----------------------------------------------------------------------------------
