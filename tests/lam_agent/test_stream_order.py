"""The order of a stream: as named, or drawn by a seed; and streams that cannot grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lam_agent.__main__ import main
from lam_agent.config import RunConfig, StreamConfig
from lam_agent.errors import ConfigError
from lam_agent.running.folder import RunFolder

STREAM = ("reach", "push", "drawer-open", "window-close")


def ordered(seed: int | None) -> tuple[str, ...]:
    return RunConfig(task_stream=STREAM, stream=StreamConfig(order_seed=seed)).tasks


def test_without_a_seed_the_order_is_as_named() -> None:
    assert ordered(None) == STREAM


def test_a_seed_draws_one_order_of_the_same_tasks() -> None:
    drawn = [ordered(seed) for seed in range(8)]
    assert drawn == [ordered(seed) for seed in range(8)]
    assert all(sorted(order) == sorted(STREAM) for order in drawn)
    assert len(set(drawn)) > 4


def test_a_negative_seed_is_refused(check_sentence: Callable[[object], str]) -> None:
    with pytest.raises(ConfigError, match=r"stream\.order-seed is -1") as caught:
        StreamConfig(order_seed=-1)
    check_sentence(caught.value)


@pytest.mark.parametrize(
    ("config", "part"),
    [
        (RunConfig(stream=StreamConfig(order_seed=1)), "its order is drawn"),
        (RunConfig(strategy="joint"), "joint learns all at once"),
    ],
)
def test_a_stream_without_an_end_to_append_to_cannot_grow(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    config: RunConfig,
    part: str,
) -> None:
    folder = RunFolder(tmp_path)
    folder.write_config(config)
    before = folder.config.read_bytes()
    stream = ["--task-stream", "reach,push,drawer-open"]
    assert main(["run", "--resume", str(tmp_path), *stream]) == 2
    assert part in check_sentence(capsys.readouterr().err.removesuffix("\n"))
    assert folder.config.read_bytes() == before
