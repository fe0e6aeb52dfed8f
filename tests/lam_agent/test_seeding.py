"""Seeds: disjoint splits, starts that never change, child seeds by name."""

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lam_agent.seeding import Split, child_seed, start_seeds, torch_generator
from lam_envs.tasks.registry import make_task, task_names

SPLITS: tuple[Split, ...] = ("demonstration", "validation", "test")


def starts(task: str, split: Split, count: int, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return the reset vectors of a split, shape (count, k)."""
    generators = [np.random.default_rng(s) for s in start_seeds(task, split, count, seed=seed)]
    return make_task(task).sample_reset_vectors(generators)


def rows(vectors: npt.NDArray[np.float64]) -> set[bytes]:
    return {row.tobytes() for row in vectors}


@pytest.mark.parametrize("task", task_names())
def test_no_start_is_in_two_splits_or_twice_in_one(task: str) -> None:
    sets = [rows(starts(task, split, 200)) for split in SPLITS]
    sets.append(rows(starts(task, "demonstration", 200, seed=1)))
    assert [len(kept) for kept in sets] == [200] * 4
    for one, other in itertools.combinations(sets, 2):
        assert not one & other


@pytest.mark.parametrize("split", ["validation", "test"])
def test_measured_starts_do_not_depend_on_the_seed_of_the_run(split: Split) -> None:
    np.testing.assert_array_equal(
        starts("push", split, 20, seed=0), starts("push", split, 20, seed=9)
    )


@pytest.mark.parametrize("split", SPLITS)
def test_the_first_starts_do_not_depend_on_how_many_there_are(split: Split) -> None:
    np.testing.assert_array_equal(starts("push", split, 3), starts("push", split, 10)[:3])


def test_tasks_with_the_same_reset_distribution_have_starts_of_their_own() -> None:
    first, second = (start_seeds(task, "test", 1)[0] for task in ("reach", "push"))
    assert not np.array_equal(first.generate_state(4), second.generate_state(4))


def test_test_starts_are_those_of_every_earlier_version() -> None:
    # Results of different versions compare only as long as these numbers stay.
    expected = {
        "reach": [
            -0.04726867850860009,
            0.639430858485067,
            0.02,
            0.06495708126881353,
            0.8467269842403516,
            0.056653338051437366,
        ],
        "push": [
            0.08379052331236347,
            0.6640916653016928,
            0.02,
            -0.08318600389890907,
            0.8919605919060208,
            0.019705745805555553,
        ],
    }
    for task, vector in expected.items():
        np.testing.assert_array_equal(starts(task, "test", 2)[1], vector)


def test_child_seeds_are_those_of_every_earlier_version() -> None:
    assert child_seed(0, "weights") == 3_070_855_100_503_268_827
    assert child_seed(3, "train", 2) == 3_700_685_935_195_664_313


def test_every_purpose_has_a_seed_of_its_own() -> None:
    seeds = [
        child_seed(seed, name, position)
        for seed in range(5)
        for name in ("train", "torch")
        for position in range(5)
    ]
    seeds += [child_seed(seed, "weights") for seed in range(5)]
    seeds += [
        child_seed(seed, "collect-noise", task, episode)
        for seed in range(5)
        for task in task_names()
        for episode in range(5)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_of_a_purpose_draw_the_same() -> None:
    first, second = (torch.rand(8, generator=torch_generator(1, "train", 0)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(8, generator=torch_generator(1, "train", 1)))
