"""Tries: the first successes count, whenever they end, and no more are begun than needed."""

import random

import pytest
import torch

from lam_agent.demonstrations.recording import RecordedEpisode
from lam_agent.demonstrations.tries import Tries, most_tries
from lam_envs.errors import UnstableSimulationError


def episode(*, is_success: bool = True, is_unstable: bool = False) -> RecordedEpisode:
    return RecordedEpisode(
        {}, torch.zeros(0), torch.zeros(0), torch.zeros(0), is_success, is_unstable
    )


def run(succeeds: list[bool], wanted: int, num_worlds: int, order: random.Random) -> Tries:
    """Run rounds of episodes that end in a random order, in so many worlds."""
    tries = Tries("push", wanted, keeps_failures=False)
    while numbers := tries.begin():
        waiting = list(numbers)
        running = [waiting.pop(0) for _ in range(min(num_worlds, len(waiting)))]
        while running and not tries.are_enough:
            number = running.pop(order.randrange(len(running)))
            tries.end(number, episode(is_success=succeeds[number]))
            running += [waiting.pop(0)] if waiting else []
    return tries


@pytest.mark.parametrize("num_worlds", [1, 3, 20])
@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_the_same_episodes_count_in_any_number_of_worlds(num_worlds: int, share: float) -> None:
    for seed in range(20):
        order = random.Random(seed)
        succeeds = [order.random() < share for _ in range(most_tries(12))]
        expected = [number for number, found in enumerate(succeeds) if found][:12]
        if len(expected) < 12:
            continue
        tries = run(succeeds, 12, num_worlds, order)
        chosen, num_unstable, num_failed = tries.result()
        assert all(one.is_success for one in chosen)
        assert (len(chosen), num_unstable, num_failed) == (12, 0, expected[-1] + 1 - 12)


def test_a_teacher_that_never_fails_begins_no_episode_too_many() -> None:
    tries = Tries("push", 5, keeps_failures=False)
    assert tries.begin() == range(5)
    for number in (1, 0, 2, 4):
        tries.end(number, episode())
        assert not tries.are_enough
    tries.end(3, episode())
    assert tries.are_enough and not tries.begin()


def test_after_failures_more_are_begun_than_are_lacking() -> None:
    tries = Tries("push", 10, keeps_failures=False)
    for number in tries.begin():
        tries.end(number, episode(is_success=number % 2 == 0))
    assert tries.begin() == range(10, 25)  # Five are lacking, half fail, and a half more.


def test_failures_that_are_kept_count() -> None:
    tries = Tries("push", 3, keeps_failures=True)
    for number in tries.begin():
        tries.end(number, episode(is_success=number != 1, is_unstable=number == 2))
    assert tries.are_enough and not tries.begin()
    chosen, num_unstable, num_failed = tries.result()
    assert [one.is_success for one in chosen] == [True, False]
    assert (num_unstable, num_failed) == (1, 0)


def test_unstable_episodes_are_counted_apart_from_failures() -> None:
    tries = Tries("push", 2, keeps_failures=False)
    kinds = [{}, {"is_unstable": True}, {"is_success": False}, {}]
    while numbers := tries.begin():
        for number in numbers:
            if not tries.are_enough:
                tries.end(number, episode(**kinds[number]))
    assert tries.result()[1:] == (1, 1)


def test_all_unstable_is_an_error_of_the_scene() -> None:
    tries = Tries("push", 1, keeps_failures=False)
    begun: list[int] = []
    while numbers := tries.begin():
        begun += numbers
        for number in numbers:
            tries.end(number, episode(is_success=False, is_unstable=True))
    assert begun == list(range(most_tries(1)))
    with pytest.raises(UnstableSimulationError, match="all 24 demonstrations of push"):
        tries.result()
