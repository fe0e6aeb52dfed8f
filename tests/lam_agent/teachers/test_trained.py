"""The file of a trained teacher: what it does comes back, and what is none is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lam_agent.errors import TeacherError
from lam_agent.teachers.choice import teacher_digests, teacher_of
from lam_agent.teachers.scripted import scripted_teacher
from lam_agent.teachers.trained import TeacherNetwork, TrainedTeacher
from lam_envs.batched import BatchedEnv

Check = Callable[[object], str]


@pytest.fixture
def teacher() -> TrainedTeacher:
    torch.manual_seed(0)
    network = TeacherNetwork(8)
    network.mean.fill_(0.1)
    network.deviation.fill_(0.3)
    return TrainedTeacher("push", network, {"success": 0.5})


@pytest.fixture
def folder(tmp_path: Path, teacher: TrainedTeacher) -> Path:
    teacher.save(tmp_path / "push.safetensors")
    return tmp_path


def test_what_it_does_comes_back(folder: Path, teacher: TrainedTeacher) -> None:
    again = TrainedTeacher.load(folder / "push.safetensors")
    assert (again.task, again.said) == ("push", {"success": 0.5})
    env = BatchedEnv("push", 3, cameras=(), num_threads=1)
    env.reset(seeds=range(3))
    actions = teacher(env)
    assert torch.equal(again(env), actions)
    for world in range(3):  # Rounding does not tell how many worlds there are.
        assert torch.equal(teacher.network(env.state[world : world + 1])[0], actions[world])
    assert actions.shape == (3, 4) and actions.dtype == torch.float32
    state = env.state.float()
    linear = [layer for layer in teacher.network.layers if isinstance(layer, torch.nn.Linear)]
    hidden = (state - 0.1) / 0.3
    for layer in linear[:2]:
        hidden = torch.tanh(hidden @ layer.weight.T + layer.bias)
    expected = (hidden @ linear[2].weight.T + linear[2].bias).clamp(-1, 1)
    torch.testing.assert_close(actions, expected)


def test_a_task_without_one_has_the_scripted_teacher(folder: Path) -> None:
    assert isinstance(teacher_of("push", folder), TrainedTeacher)
    assert teacher_of("reach", folder) is teacher_of("push", None) is scripted_teacher
    (digest,) = teacher_digests(["reach", "push", "push"], folder).items()
    assert digest[0] == "push" and len(digest[1]) == 64
    assert teacher_digests(["push"], None) == {}


def rewrite(
    path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]
) -> None:
    tensors = load_file(path)
    header: dict[str, Any] = {"format_version": 1, "kind": "teacher", "task": "push"}
    change(tensors, header)
    save_file(tensors, path, {"lam_agent": json.dumps(header)})


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda t, h: h.update(format_version=2), "has format 2; this version reads 1"),
        (lambda t, h: h.update(kind="episodes"), "holds no teacher"),
        (lambda t, h: h.update(task=3), "two hidden layers"),
        (lambda t, h: h.update(task="reach"), "knows 'reach'; it must know 'push'"),
        (lambda t, h: t.pop("mean"), "two hidden layers"),
        (lambda t, h: t.update({"layers.0.weight": torch.zeros(5000, 39)}), "two hidden layers"),
        (lambda t, h: t.update({"layers.4.bias": torch.zeros(5)}), "two hidden layers"),
        (lambda t, h: t["mean"].fill_(torch.nan), "mean of the teacher"),
    ],
)
def test_what_is_no_teacher_is_refused(
    folder: Path, check_sentence: Check, change: Callable[..., object], part: str
) -> None:
    rewrite(folder / "push.safetensors", change)
    with pytest.raises(TeacherError) as caught:
        teacher_of("push", folder)
    assert part in check_sentence(caught.value)


def test_a_damaged_file_and_an_empty_folder_are_refused(
    folder: Path, tmp_path: Path, check_sentence: Check
) -> None:
    path = folder / "push.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    for task, place, part in (
        ("push", folder, "cannot be read"),
        ("push", tmp_path / "nowhere", "holds no teachers"),
    ):
        with pytest.raises(TeacherError) as caught:
            teacher_of(task, place)
        assert part in check_sentence(caught.value)
