"""The linear probe: a line is found where there is one, and judged on other starts."""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch


@pytest.fixture
def linear_probe(import_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    """The benchmark."""
    return import_benchmark("linear_probe")


def test_the_error_is_of_what_no_line_can_tell(linear_probe: ModuleType) -> None:
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(4000, 8, generator=generator, dtype=torch.float64)
    episode = torch.arange(4000) / 4000
    objects = 0.05 * seen[:, :3]  # A line through the features.
    goals = 0.05 * torch.randn(4000, 3, generator=generator, dtype=torch.float64)  # None.
    found = linear_probe.errors_cm(seen, torch.cat((objects, goals), 1), episode)
    assert found[0] < 0.02
    # Mean length of a normal vector in three dimensions: 2 * sqrt(2 / pi) standard deviations.
    assert found[1] == pytest.approx(5 * 1.596, rel=0.06)


def test_episodes_that_the_line_was_fitted_to_do_not_count(linear_probe: ModuleType) -> None:
    seen = torch.eye(100, dtype=torch.float64).repeat_interleave(4, 0)  # What tells the episode.
    episode = torch.arange(100).repeat_interleave(4) / 100
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(100, 6, generator=generator, dtype=torch.float64).repeat_interleave(4, 0)
    assert min(linear_probe.errors_cm(seen, places, episode)) > 100  # Centimetres.
