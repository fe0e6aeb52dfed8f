"""The learning rate: it rises to its peak and falls to a twentieth."""

from itertools import pairwise

import pytest

from lam_agent.optimisation.schedule import rate_share


def test_it_rises_linearly_and_falls_to_the_final_share() -> None:
    shares = [
        rate_share(step, warmup_steps=4, max_steps=1000, final_share=0.05) for step in range(1001)
    ]
    assert shares[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0], rel=1e-4)
    assert all(later < earlier for earlier, later in pairwise(shares[3:]))
    assert shares[500] == pytest.approx(0.525)
    assert shares[1000] == pytest.approx(0.05)


def test_without_warmup_it_begins_at_its_peak() -> None:
    assert rate_share(0, warmup_steps=0, max_steps=10, final_share=0.05) == 1.0
