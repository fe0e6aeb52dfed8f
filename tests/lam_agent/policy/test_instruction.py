"""Instructions as bags of words and tokens."""

from collections.abc import Callable

import pytest
import torch

from lam_agent.errors import ConfigError
from lam_agent.policy.instruction import (
    NUM_BUCKETS,
    InstructionEncoder,
    bag_of_words,
    check_distinct,
    word_buckets,
    words_of,
)
from lam_envs.tasks.registry import make_task, task_names


def test_a_bag_holds_the_share_of_each_word() -> None:
    bag = bag_of_words("push the puck, push!")
    assert bag.shape == (NUM_BUCKETS,) and bag.dtype == torch.float32
    assert sorted(bag[bag > 0].tolist()) == [0.25, 0.25, 0.5]
    assert float(bag[word_buckets("push")[0]]) == 0.5


def test_case_order_and_punctuation_do_not_count() -> None:
    assert torch.equal(bag_of_words("Close the window."), bag_of_words("window   the, close"))


def test_buckets_are_those_of_every_earlier_version() -> None:
    # A saved policy finds its words by these numbers.
    assert word_buckets("reach the green goal 2").tolist() == [410, 486, 33, 302, 13]


def test_words_are_letters_and_digits() -> None:
    assert words_of("Push  the PUCK-2, please!") == ["push", "the", "puck", "2", "please"]
    assert words_of("…") == []


def test_an_instruction_without_words_is_still_one() -> None:
    assert torch.equal(bag_of_words(""), bag_of_words("task"))
    assert torch.equal(bag_of_words("…!"), bag_of_words("task"))


def test_every_task_has_an_instruction_of_its_own() -> None:
    bags = [bag_of_words(make_task(name).instruction) for name in task_names()]
    assert len({tuple(bag.tolist()) for bag in bags}) == len(task_names())


def test_the_token_is_the_mean_of_the_words_embeddings() -> None:
    encoder = InstructionEncoder(6)
    words = [encoder(bag_of_words(word)[None]) for word in ("push", "puck")]
    both = encoder(bag_of_words("push puck")[None])
    torch.testing.assert_close(both, (words[0] + words[1]) / 2)


def test_tasks_of_the_same_words_are_refused(check_sentence: Callable[[object], str]) -> None:
    check_distinct({task: make_task(task).instruction for task in task_names()})
    check_distinct({"a": "put the red cup on the blue cup", "b": "put the red cup on the cup"})
    with pytest.raises(ConfigError) as caught:
        check_distinct(
            {"red": "put the red cup on the blue cup", "blue": "Put the blue cup on the red cup."}
        )
    words = check_sentence(caught.value)
    assert "of red (" in words and "and blue (" in words
