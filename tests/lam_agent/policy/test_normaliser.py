"""The normaliser: frozen, exact, and the random shift of training pictures."""

import pytest
import torch

from lam_agent.policy.normaliser import (
    PIXEL_MEAN,
    PIXEL_SCALE,
    WORKSPACE_CENTRE_M,
    WORKSPACE_SCALE_M,
    Normaliser,
    random_shift,
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


@pytest.fixture
def pictures() -> dict[str, torch.Tensor]:
    """Pictures whose red and green channels are column and row."""
    row, column = torch.meshgrid(torch.arange(12), torch.arange(12), indexing="ij")
    picture = torch.stack((column, row, torch.zeros_like(row)), 2).to(torch.uint8)
    return {camera: picture.expand(40, -1, -1, -1).clone() for camera in ("front", "wrist")}


def test_no_shift_gives_the_same_pictures(pictures: dict[str, torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    shifted = random_shift(pictures, 0, generator)
    assert all(torch.equal(shifted[camera], pictures[camera]) for camera in pictures)
    assert torch.equal(generator.get_state(), state)


def test_each_picture_shifts_within_the_limit_and_repeats_its_border(
    pictures: dict[str, torch.Tensor],
) -> None:
    before = {camera: images.clone() for camera, images in pictures.items()}
    shifted = random_shift(pictures, 3, torch.Generator().manual_seed(0))
    seen: set[tuple[int, int]] = set()
    for camera, images in shifted.items():
        assert images.dtype == torch.uint8 and torch.equal(pictures[camera], before[camera])
        for image in images.int():
            dx, dy = (image[6, 6, :2] - 6).tolist()
            seen.add((dx, dy))
            expected = before[camera][0].int()
            rows = (torch.arange(12) + dy).clamp(0, 11)
            columns = (torch.arange(12) + dx).clamp(0, 11)
            assert torch.equal(image, expected[rows][:, columns])
    assert max(abs(shift) for pair in seen for shift in pair) == 3
    assert len(seen) > 20
    assert not torch.equal(shifted["front"], shifted["wrist"])


def test_the_same_generator_shifts_the_same(pictures: dict[str, torch.Tensor]) -> None:
    first, second = (random_shift(pictures, 2, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first["wrist"], second["wrist"])
