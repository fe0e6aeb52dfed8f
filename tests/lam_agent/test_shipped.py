"""Weights that ship with the package: found by name, whole, small, and of no test task."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lam_agent.checkpoint import fitted_sizes, load_memory, load_pretrained
from lam_agent.checkpoint.shipped import shipped_weights
from lam_agent.checkpoint.verification import resolve_checkpoint
from lam_agent.config import MemoryConfig, PolicyConfig, RunConfig
from lam_agent.continual.outputs import outputs_on
from lam_agent.continual.remembered import from_memory
from lam_agent.errors import CheckpointError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.pretrain.config import PretrainConfig
from lam_envs.streams.resolve import resolve_stream
from lam_envs.tasks.registry import make_task

MAX_BYTES = 10_000_000


def test_the_default_weights_ship() -> None:
    assert RunConfig().policy.init in shipped_weights()


def test_all_of_them_together_are_small() -> None:
    files = [file for folder in shipped_weights().values() for file in folder.iterdir()]
    assert 0 < sum(file.stat().st_size for file in files) < MAX_BYTES
    assert {file.suffix for file in files} == {".safetensors", ".json", ".md"}


@pytest.mark.parametrize("name", shipped_weights())
def test_weights_load_by_name_and_know_no_test_task(name: str) -> None:
    policy, contract = load_pretrained(name)
    assert policy.config == contract.policy
    assert set(contract.tasks) == set(resolve_stream(("pretrain32",)))
    assert not set(contract.tasks) & set(resolve_stream(("cw10", "mt10")))
    assert all(make_task(task).instruction == text for task, text in contract.tasks.items())


def test_lam_tiny_has_the_sizes_that_the_command_makes() -> None:
    assert load_pretrained("lam-tiny")[1].policy == PretrainConfig().policy.kept()


def test_lam_tiny_remembers_all_that_it_can_do() -> None:
    policy, contract = load_pretrained("lam-tiny")
    memory = load_memory(resolve_checkpoint("lam-tiny"))
    assert set(memory) == set(contract.tasks)
    for task, tensors in memory.items():
        frames = from_memory(tensors)
        assert len(frames) == MemoryConfig().frames, task
        assert torch.equal(frames.bag, bag_of_words(contract.known[task]))
        acts = outputs_on(policy, frames)
        assert frames.outputs is not None
        error = (acts - frames.outputs.float()).abs()  # Of rounding to bytes.
        assert float(error.mean()) < 0.006 and float(error.max()) < 0.05, task


def test_a_folder_of_that_name_comes_first(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.rename(checkpoint.with_name("lam-tiny"))
    monkeypatch.chdir(checkpoint.parent)
    assert resolve_checkpoint("lam-tiny") == Path("lam-tiny")
    assert (
        load_pretrained("lam-tiny")[0].config
        != load_pretrained(shipped_weights()["lam-tiny"])[0].config
    )


def test_a_name_that_is_nearly_right_is_told(check_sentence: Callable[[object], str]) -> None:
    with pytest.raises(CheckpointError) as caught:
        resolve_checkpoint("lam-tinny")
    words = check_sentence(caught.value)
    assert "lam-tinny is no folder (did you mean 'lam-tiny'?)" in words
    assert "weights that ship with the package (lam-tiny)" in words


def test_other_pictures_than_those_of_the_weights_are_refused(
    check_sentence: Callable[[object], str],
) -> None:
    with pytest.raises(CheckpointError) as caught:
        fitted_sizes(PolicyConfig(image_size=96))
    words = check_sentence(caught.value)
    assert "policy.image-size is 96, but it is 64" in words and "lam-tiny" in words
    assert "random ones (--policy.init none)" in words
