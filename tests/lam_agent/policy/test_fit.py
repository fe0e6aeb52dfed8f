"""Tasks that a policy can learn side by side."""

from collections.abc import Callable

import pytest

from lam_agent.errors import ConfigError
from lam_agent.policy.fit import check_learnable
from lam_envs.tasks.registry import make_task, task_names


def test_all_tasks_are_learnable_and_may_come_again() -> None:
    check_learnable(task_names())
    check_learnable(("push", "reach", "push"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cameras", ("front",), "has the cameras front; a policy sees front and wrist"),
        ("action_size", 7, "has actions of 7 entries; a policy gives 4"),
        ("instruction", make_task("reach").instruction, "have the same words"),
    ],
)
def test_a_task_that_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Callable[[object], str],
    name: str,
    value: object,
    words: str,
) -> None:
    monkeypatch.setattr(type(make_task("push")), name, value)
    with pytest.raises(ConfigError) as caught:
        check_learnable(("reach", "push"))
    assert words in check_sentence(caught.value)
