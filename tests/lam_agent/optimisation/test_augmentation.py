"""Altered training pictures: shifted, in other colours, from other poses; the marker stays."""

import pytest
import torch

from lam_agent.config import AugmentConfig
from lam_agent.optimisation.augmentation import augmented, random_shift

COLOURS = AugmentConfig(copies=1, shift=0.0, turn_deg=0.0, zoom=0.0)
POSES = AugmentConfig(copies=1, colours=0.0)
NEARLY_NOTHING = AugmentConfig(copies=1, colours=0.0, shift=0.0, turn_deg=0.0, zoom=1e-9)


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


# Colours and poses -----------------------------------------------------------------------------


@pytest.fixture
def scenes() -> dict[str, torch.Tensor]:
    """Pictures of a grey table, a red block, a green drawer and a goal marker."""
    picture = torch.full((16, 16, 3), 150, dtype=torch.uint8)
    picture[2:6, 2:6] = torch.tensor([200, 30, 30], dtype=torch.uint8)
    picture[9:13, 9:13] = torch.tensor([20, 180, 20], dtype=torch.uint8)
    picture[9:13, 2:6] = torch.tensor([100, 170, 100], dtype=torch.uint8)
    return {camera: picture.expand(300, -1, -1, -1).clone() for camera in ("front", "wrist")}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_nothing_is_altered_where_hardly_anything_may_vary(scenes: dict[str, torch.Tensor]) -> None:
    altered = augmented(scenes, NEARLY_NOTHING, generator())
    for camera, pictures in altered.items():
        assert pictures.dtype == torch.uint8 and torch.equal(pictures, scenes[camera])


def test_each_picture_has_colours_of_its_own_and_the_marker_keeps_its(
    scenes: dict[str, torch.Tensor],
) -> None:
    before = {camera: pictures.clone() for camera, pictures in scenes.items()}
    altered = augmented(scenes, COLOURS, generator())
    front, wrist = altered["front"], altered["wrist"]
    assert all(torch.equal(scenes[camera], before[camera]) for camera in scenes)  # Not in place.
    assert torch.equal(front[:, 9:13, 9:13], scenes["front"][:, 9:13, 9:13])
    blocks = front[:, 3, 3].float()
    assert len({tuple(colour) for colour in blocks.tolist()}) > 290
    assert blocks.std(0).min() > 25  # All channels: the hue turns.
    assert not torch.equal(front, wrist)
    drawers = front[:, 10, 3].float()
    assert drawers.std(0).min() > 25  # Green things that are no marker change, too.
    for things in (blocks, drawers):  # They do not become as green as the marker.
        red, green, blue = things.unbind(1)
        assert bool((green <= 2.05 * torch.maximum(red, blue) + 1).all())
    flat = front[:, 2:6, 2:6].float()
    assert float((flat - flat.mean((1, 2), keepdim=True)).abs().max()) < 1e-3  # Still one colour.


def test_a_weaker_setting_alters_less(scenes: dict[str, torch.Tensor]) -> None:
    changes = []
    for colours in (0.1, 0.5, 1.0):
        config = AugmentConfig(copies=1, colours=colours, shift=0.0, turn_deg=0.0, zoom=0.0)
        altered = augmented(scenes, config, generator())["front"].float()
        changes.append(float((altered - scenes["front"].float()).abs().mean()))
    assert 0 < changes[0] < changes[1] < changes[2]


def test_poses_move_things_as_far_as_they_may(scenes: dict[str, torch.Tensor]) -> None:
    def centre(pictures: torch.Tensor, channel: int) -> torch.Tensor:
        """Return where a colour is, (B, 2), pixels."""
        values = pictures.float()
        weight = (values[..., channel] - values.amin(-1) > 80).float()
        rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        total = weight.sum((1, 2))
        places = (weight * rows).sum((1, 2)), (weight * columns).sum((1, 2))
        return torch.stack(places, 1) / total[:, None]

    shift = AugmentConfig(copies=1, colours=0.0, shift=0.1, turn_deg=0.0, zoom=0.0)
    moved = augmented(scenes, shift, generator())["front"]
    for channel, place in ((0, 3.5), (1, 10.5)):
        offsets = centre(moved, channel) - place
        assert 1.2 < float(offsets.abs().max()) < 2.2  # A tenth of 16 pixels is 1.6.
        assert offsets.mean(0).abs().max() < 0.2
    turn = AugmentConfig(copies=1, colours=0.0, shift=0.0, turn_deg=10.0, zoom=0.0)
    turned = augmented(scenes, turn, generator())["front"]
    across = centre(turned, 1) - centre(turned, 0)
    angles = torch.rad2deg(torch.atan2(across[:, 0], across[:, 1])) - 45
    assert 7 < float(angles.abs().max()) < 13 and abs(float(angles.mean())) < 2
    zoom = AugmentConfig(copies=1, colours=0.0, shift=0.0, turn_deg=0.0, zoom=0.2)
    zoomed = augmented(scenes, zoom, generator())["front"]
    lengths = (centre(zoomed, 1) - centre(zoomed, 0)).norm(dim=1) / (7 * 2**0.5)
    assert 0.78 < float(lengths.min()) < 0.9 and 1.1 < float(lengths.max()) < 1.3


def test_a_share_of_the_frames_is_altered_in_all_cameras(scenes: dict[str, torch.Tensor]) -> None:
    altered = augmented(scenes, POSES, generator(), share=0.75)
    changed = {
        camera: (pictures != scenes[camera]).flatten(1).any(1)
        for camera, pictures in altered.items()
    }
    assert torch.equal(changed["front"], changed["wrist"])
    assert 0.65 < float(changed["front"].float().mean()) < 0.85


def test_the_same_generator_alters_the_same(scenes: dict[str, torch.Tensor]) -> None:
    config = AugmentConfig(copies=1)
    first, second = (augmented(scenes, config, generator())["wrist"] for _ in range(2))
    assert torch.equal(first, second)
