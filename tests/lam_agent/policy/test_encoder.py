"""Camera encoder: where a feature fires, how widely, and the token it becomes."""

import pytest
import torch

from lam_agent.policy.encoder import CameraEncoder, Scores, SpatialSoftmax

SIZE = 9
SHARPNESS = 10.0
"""High enough that a map is all where it fires most."""


def fire_at(*pixels: tuple[int, int]) -> torch.Tensor:
    """Return one map that is high at some pixels (row, column), shape (1, 1, SIZE, SIZE)."""
    maps = torch.full((1, 1, SIZE, SIZE), -100.0)
    for row, column in pixels:
        maps[0, 0, row, column] = 100.0
    return maps


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [((0, 0), (-1.0, -1.0)), ((0, 8), (1.0, -1.0)), ((8, 0), (-1.0, 1.0)), ((4, 6), (0.5, 0.0))],
)
def test_a_point_has_its_coordinates_and_no_spread(
    pixel: tuple[int, int], expected: tuple[float, float]
) -> None:
    x, y, spread = SpatialSoftmax(SIZE, SHARPNESS)(fire_at(pixel))[0].tolist()
    assert (x, y) == pytest.approx(expected, abs=1e-6)
    assert spread == pytest.approx(0.0, abs=2e-3)


def test_two_points_have_their_middle_and_half_their_distance() -> None:
    x, y, spread = SpatialSoftmax(SIZE, SHARPNESS)(fire_at((4, 0), (4, 8)))[0].tolist()
    assert (x, y, spread) == pytest.approx((0.0, 0.0, 1.0), abs=1e-5)


def test_a_flat_map_is_the_middle_of_the_picture() -> None:
    x, y, spread = SpatialSoftmax(SIZE, SHARPNESS)(torch.zeros(1, 1, SIZE, SIZE))[0].tolist()
    assert (x, y) == pytest.approx((0.0, 0.0), abs=1e-6)
    # The variance of 9 evenly spaced numbers in [-1, 1] is 5 / 12, along x and along y.
    assert spread == pytest.approx((5 / 6) ** 0.5, abs=1e-5)


def test_outputs_are_all_x_and_y_of_the_maps_then_their_spreads() -> None:
    maps = torch.cat((fire_at((0, 0)), fire_at((8, 4))), 1)  # (1, 2, SIZE, SIZE)
    found = SpatialSoftmax(SIZE, SHARPNESS)(maps)
    torch.testing.assert_close(
        found, torch.tensor([[-1.0, -1.0, 0.0, 1.0, 0.0, 0.0]]), atol=2e-3, rtol=0
    )


def test_gradients_stay_finite_where_the_spread_is_zero() -> None:
    maps = fire_at((4, 4)).requires_grad_()
    SpatialSoftmax(SIZE, SHARPNESS)(maps).sum().backward()
    assert maps.grad is not None and bool(maps.grad.isfinite().all())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_scores_are_those_of_a_convolution_and_points_those_of_an_instance_norm(
    layout: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 4, SIZE, SIZE).contiguous(memory_format=layout)
    scores, points = Scores(4, 6), SpatialSoftmax(SIZE, 3.0)
    expected = scores[1](maps.relu())
    torch.testing.assert_close(scores(maps), expected)
    weights = (3.0 * torch.nn.functional.instance_norm(expected)).flatten(2).softmax(2)
    x = (weights.view(3, 6, SIZE, SIZE).sum(2) * torch.linspace(-1, 1, SIZE)).sum(2)
    torch.testing.assert_close(points(expected)[:, 0:12:2], x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("image_size", [32, 64])
def test_pictures_become_features(image_size: int) -> None:
    encoder = CameraEncoder(image_size, channels=4, keypoints=6)
    pictures = torch.randn(3, 3, image_size, image_size)
    features = encoder(pictures)
    assert features.shape == (3, encoder.size) == (3, 18)
    torch.testing.assert_close(encoder(pictures[1:2])[0], features[1], rtol=1e-4, atol=1e-5)


def test_a_deep_encoder_sees_further() -> None:
    torch.manual_seed(0)
    shallow, deep = (CameraEncoder(32, channels=4, keypoints=6, depth=depth) for depth in (0, 2))
    pictures = torch.randn(2, 3, 32, 32)
    assert deep(pictures).shape == shallow(pictures).shape
    changed = pictures.clone()
    changed[:, :, :4, :4] += 3.0
    for encoder, reaches in ((shallow, False), (deep, True)):
        before, after = (encoder.mix(encoder.stem(p)) for p in (pictures, changed))
        assert (not torch.equal(before[:, :, 1:, 1:], after[:, :, 1:, 1:])) is reaches


@pytest.mark.parametrize("image_size", [32, 36])
def test_an_overview_follows_the_points(image_size: int) -> None:
    torch.manual_seed(0)
    encoder = CameraEncoder(image_size, channels=4, keypoints=6, depth=1, overview=5)
    pictures = torch.randn(2, 3, image_size, image_size)
    features = encoder(pictures)
    assert features.shape == (2, encoder.size) == (2, 23)
    points = encoder.points(encoder.scores(encoder.mix(encoder.stem(pictures))))
    torch.testing.assert_close(features[:, :18], points)
    features[:, 18:].sum().backward()
    assert encoder.stem.weight.grad is not None and bool(encoder.stem.weight.grad.any())
