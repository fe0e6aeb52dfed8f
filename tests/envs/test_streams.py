"""Named task streams: what they hold, and how names become tasks."""

import pytest
from metaworld.env_dict import MT10_V3, MT50_V3

from lam_envs.errors import UnknownTaskError
from lam_envs.names import BUILT_IN, STREAMS, has_repeats
from lam_envs.streams.resolve import resolve_stream
from lam_envs.tasks.registry import task_names


def test_streams_hold_as_many_tasks_as_they_should() -> None:
    distinct = {name: len(set(tasks)) for name, tasks in STREAMS.items()}
    assert distinct == {"cw10": 10, "cw20": 10, "mt10": 10, "mt50": 50, "pretrain32": 32}
    for name, tasks in STREAMS.items():
        assert set(tasks) <= set(task_names()), name
        assert name not in task_names()


def test_the_multi_task_streams_are_in_the_order_of_metaworld() -> None:
    assert STREAMS["mt10"] == tuple(name.removesuffix("-v3") for name in MT10_V3)
    assert STREAMS["mt50"] == tuple(name.removesuffix("-v3") for name in MT50_V3)


def test_pretraining_has_what_neither_benchmark_of_ten_has() -> None:
    pretrain, rest = STREAMS["pretrain32"], {*STREAMS["cw10"], *STREAMS["mt10"]}
    assert not rest & set(pretrain)
    assert rest | set(pretrain) == set(BUILT_IN)
    assert pretrain == tuple(name for name in BUILT_IN if name in pretrain)


def test_continual_world_comes_once_or_twice() -> None:
    assert STREAMS["cw10"][0] == "hammer" and STREAMS["cw10"][-1] == "peg-unplug-side"
    assert STREAMS["cw20"] == STREAMS["cw10"] * 2
    assert [name for name in (*STREAMS, "push") if has_repeats(name)] == ["cw20"]


def test_names_of_streams_and_of_tasks_mix() -> None:
    assert resolve_stream(["reach", "cw10", "reach"]) == ("reach", *STREAMS["cw10"], "reach")
    assert resolve_stream(STREAMS["mt10"]) == STREAMS["mt10"]
    assert resolve_stream([]) == ()


@pytest.mark.parametrize(("wrong", "right"), [("cw1", "cw10"), ("puhs", "push"), ("MT10", "mt10")])
def test_an_unknown_name_gets_the_nearest_and_the_lists(wrong: str, right: str) -> None:
    with pytest.raises(UnknownTaskError) as caught:
        resolve_stream(["push", wrong])
    message = str(caught.value)
    assert f"there is no task {wrong!r} (did you mean {right!r}?); the tasks are reach" in message
    assert message.endswith("the task streams are cw10, cw20, mt10, mt50, pretrain32.")
