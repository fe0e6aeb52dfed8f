"""Loggers: what TensorBoard and wandb read back, runs that go on, and failures."""

import io
import json
import logging
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lam_agent.__main__ import main
from lam_agent.config import RunConfig, TrainConfig
from lam_agent.errors import LoggerError, MissingExtraError
from lam_agent.loggers import FanOut, make_loggers
from lam_agent.run import parse

Check = Callable[[object], str]

BLOCK = 32768
CONFIG = RunConfig(train=TrainConfig(max_steps=100))


def png(red: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (red, 20, 30)).save(file, "PNG")
    return file.getvalue()


def write_rows(loggers: FanOut, position: int, task: str, loss: float) -> None:
    """Write what a run writes in an experience."""
    loggers.write("first_frame", task="reach", camera="front", png=png(200))
    for step in (1, 51):
        place: dict[str, Any] = {"position": position, "task": task, "step": step}
        loggers.write("training", **place, loss=loss / step, learning_rate=0.5)
    loggers.write("validation", position=position, task=task, step=60, loss=loss, success=0.25)
    for column in range(position + 1):
        loggers.write("evaluation", row=position + 1, column=column, task=task, success=1.0)


def read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return tag -> (step, value) as TensorBoard shows them."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, round(event.value, 4)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def wandb_records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a .wandb file: LevelDB's log format behind a header of 7 bytes."""
    place, record = 7, b""
    while place + 7 <= len(content):
        rest = BLOCK - place % BLOCK
        if rest < 7:  # A block ends in zeros where no header fits.
            place += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if place + 7 + length > len(content):
            return  # It is being written.
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # Whole, or the last part; 2 and 3 are a first and a middle part.
            yield record
            record = b""


def read_wandb(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a .wandb file, once wandb's own process has written the last one."""
    from wandb.proto.wandb_internal_pb2 import Record

    deadline = time.monotonic() + 30
    records: list[Any] = []
    while not (records and records[-1].HasField("exit")) and time.monotonic() < deadline:
        time.sleep(0.1)
        records = [Record.FromString(content) for content in wandb_records(path.read_bytes())]
    return [
        {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
        for items in (record.history.item for record in records if record.HasField("history"))
    ]


# TensorBoard ------------------------------------------------------------------------------------


def test_tensorboard_reads_every_kind_of_row(tmp_path: Path) -> None:
    loggers = make_loggers(replace(CONFIG, logger=("tensorboard",)), tmp_path)
    loggers.write("evaluation", row=0, column=0, task="reach", success=0.125)
    write_rows(loggers, 0, "reach", 0.5)
    write_rows(loggers, 1, "push", 0.25)
    loggers.close()
    assert read_scalars(tmp_path) == {
        "evaluation/success/0_reach": [(0, 0.125), (100, 1.0)],
        "evaluation/success/0_push": [(200, 1.0)],
        "evaluation/success/1_push": [(200, 1.0)],
        "training/loss": [(1, 0.5), (51, 0.0098), (101, 0.25), (151, 0.0049)],
        "training/learning_rate": [(1, 0.5), (51, 0.5), (101, 0.5), (151, 0.5)],
        "validation/loss": [(60, 0.5), (160, 0.25)],
        "validation/success": [(60, 0.25), (160, 0.25)],
    }
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    picture = events.Images("first_frame/reach/front")[0].encoded_image_string
    decoded = Image.open(io.BytesIO(picture))
    assert (decoded.size, decoded.getpixel((0, 0))) == ((6, 4), (200, 20, 30))


def test_tensorboard_forgets_what_a_run_that_goes_on_repeats(tmp_path: Path) -> None:
    config = replace(CONFIG, logger=("tensorboard",))
    loggers = make_loggers(config, tmp_path)
    write_rows(loggers, 0, "reach", 0.5)
    write_rows(loggers, 1, "push", 0.75)  # The process ends before this experience is saved.
    loggers.close()
    loggers = make_loggers(config, tmp_path, position=1)
    write_rows(loggers, 1, "push", 0.25)
    loggers.close()
    found = read_scalars(tmp_path)
    assert found["training/loss"] == [(1, 0.5), (51, 0.0098), (101, 0.25), (151, 0.0049)]
    assert found["evaluation/success/0_reach"] == [(100, 1.0)]
    assert found["evaluation/success/1_push"] == [(200, 1.0)]
    loggers = make_loggers(config, tmp_path, position=1, step=1)
    loggers.close()
    assert read_scalars(tmp_path)["training/loss"][-1] == (101, 0.25)


# Weights & Biases -------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what a user's machine may have set; wandb's own files go to the test's folder."""
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb of the user"))


@pytest.mark.usefixtures("offline")
def test_wandb_writes_offline_and_goes_on_with_the_same_run(tmp_path: Path) -> None:
    config = replace(CONFIG, logger=("wandb",))
    folder = tmp_path / "run"
    loggers = make_loggers(config, folder)
    write_rows(loggers, 0, "reach", 0.5)
    loggers.close()
    time.sleep(1.1)  # wandb names its folders by the second.
    loggers = make_loggers(config, folder, position=1)
    write_rows(loggers, 1, "push", 0.25)
    loggers.close()
    identity = (folder / "wandb/run_id.txt").read_text(encoding="utf-8")
    parts = list(folder.glob("wandb/offline-run-*"))
    assert parts and all(part.name.endswith(f"-{identity}") for part in parts)
    files = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))
    rows = [row for file in files for row in read_wandb(file)]
    losses = [(row["stream_step"], row["training/loss"]) for row in rows if "training/loss" in row]
    assert losses == [(1, 0.5), (51, 0.5 / 51), (101, 0.25), (151, 0.25 / 51)]
    cells = [row["stream_step"] for row in rows if "evaluation/success/1_push" in row]
    assert cells == [200]
    (file,) = folder.glob("wandb/offline-run-*/files/media/images/**/*.png")
    assert Image.open(file).getpixel((0, 0)) == (200, 20, 30)


@pytest.mark.usefixtures("offline")
def test_wandb_that_cannot_start_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_sentence: Check
) -> None:
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(LoggerError, match="cannot start in mode 'sideways'") as caught:
        make_loggers(replace(CONFIG, logger=("tensorboard", "wandb")), tmp_path / "run")
    assert "WANDB_MODE=offline" in check_sentence(caught.value)
    assert not list(tmp_path.glob("run/*"))


# All --------------------------------------------------------------------------------------------


def test_by_default_there_are_none(tmp_path: Path) -> None:
    loggers = make_loggers(CONFIG, tmp_path)
    write_rows(loggers, 0, "reach", 0.5)
    loggers.close()
    assert not list(tmp_path.iterdir())


def test_loggers_are_named_with_commas_and_a_near_miss_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert parse(["--logger", "tensorboard, wandb"]).settings.logger == ("tensorboard", "wandb")
    assert main(["run", "--logger", "tensorbord"]) == 2
    words = "no logger 'tensorbord' (did you mean 'tensorboard'?); the loggers are tensorboard, wan"
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("logger", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")]
)
def test_a_missing_package_is_named(
    logger: str,
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check_sentence: Check,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"pip install {logger}") as caught:
        make_loggers(replace(CONFIG, logger=(logger,)), tmp_path)
    check_sentence(caught.value)
    assert not list(tmp_path.iterdir())


class Recorder:
    """A logger that keeps its rows, until it breaks."""

    def __init__(self, breaks_at: str = "") -> None:
        self.kinds: list[str] = []
        self.breaks_at = breaks_at

    def write(self, kind: str, **values: object) -> None:
        if kind == self.breaks_at:
            raise OSError("no space left on the device")
        self.kinds.append(kind)

    def close(self) -> None:
        self.write("close")


def test_a_logger_that_breaks_does_not_cost_the_run(caplog: pytest.LogCaptureFixture) -> None:
    broken, closing, whole = Recorder("validation"), Recorder("close"), Recorder()
    loggers = FanOut([broken, closing, whole])
    with caplog.at_level(logging.WARNING, "lam_agent.loggers"):
        write_rows(loggers, 0, "reach", 0.5)
        loggers.close()
    rows = ["first_frame", "training", "training"]
    assert broken.kinds == rows
    assert closing.kinds == [*rows, "validation", "evaluation"]
    assert whole.kinds == [*closing.kinds, "close"]
    assert [record.getMessage().count("Recorder failed") for record in caplog.records] == [1, 1]
