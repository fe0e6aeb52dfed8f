"""An ONNX file gives the policy's actions without torch, and tells a robot what it must know."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lam_agent import export
from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained
from lam_agent.controller import Controller
from lam_agent.errors import ConfigError, ExportError, MissingExtraError
from lam_agent.export import TOLERANCE, export_onnx
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.batched import BatchedEnv

DOCS = Path(__file__).parents[2] / "docs" / "controllers.md"

onnxruntime = pytest.importorskip("onnxruntime")

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def exported(saved_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX file of the saved checkpoint, by the command."""
    path = tmp_path_factory.mktemp("export") / "deep" / "policy.onnx"
    assert main(["export", str(saved_checkpoint), "--output", str(path)]) == 0
    return path


def actions_of(path: Path, given: dict[str, torch.Tensor]) -> npt.NDArray[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["actions"], {key: value.numpy() for key, value in given.items()})
    return np.asarray(found)


@pytest.mark.parametrize("num_robots", [1, 3])
@pytest.mark.parametrize("task", ["reach", "push"])
def test_actions_are_the_policys(
    exported: Path,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    instructions: dict[str, str],
    task: str,
    num_robots: int,
) -> None:
    observation = make_observations(num_robots, seed=11)
    expected = make_policy().act(observation, bag_of_words(instructions[task]))
    place = torch.full((num_robots,), list(instructions).index(task))
    found = actions_of(exported, {**observation, "task": place})
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=TOLERANCE)


def test_robots_may_be_on_different_tasks(
    exported: Path,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    instructions: dict[str, str],
) -> None:
    observation = {
        key: value[:1].repeat(2, *[1] * (value.dim() - 1))
        for key, value in (make_observations().items())
    }
    found = actions_of(exported, {**observation, "task": torch.tensor([0, 1])})
    for row, instruction in enumerate(instructions.values()):
        expected = make_policy().act(observation, bag_of_words(instruction))[row]
        np.testing.assert_allclose(found[row], expected.numpy(), rtol=0, atol=TOLERANCE)
    assert np.abs(found[0] - found[1]).max() > 10 * TOLERANCE


def test_the_metadata_is_the_contract(exported: Path, saved_checkpoint: Path) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["lam_agent"])
    config = json.loads((saved_checkpoint / "config.json").read_text(encoding="utf-8"))
    assert metadata.pop("format_version") == 1
    assert list(metadata["tasks"]) == ["reach", "push"]  # Their order is what `task` counts in.
    assert set(metadata) >= {"observation", "actions", "control_dt", "execute_length", "sha256"}
    assert metadata == {key: config[key] for key in metadata}


def test_the_page_for_robots_is_right(
    exported: Path, saved_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DOCS.read_text(encoding="utf-8")
    _, _, after = text.partition("<!-- onnx-robot -->\n```python\n")
    code = after.partition("```")[0]
    worlds = {name: BatchedEnv("push", 1, image_size=32, num_threads=1) for name in "ab"}
    for env in worlds.values():
        env.reset(seeds=[4])
    robot, known = worlds["a"], worlds["b"]
    executed: list[npt.NDArray[Any]] = []

    def execute(action: npt.NDArray[Any]) -> None:
        executed.append(action)
        robot.step(torch.from_numpy(action)[None])

    monkeypatch.chdir(exported.parent)
    namespace = {
        "is_running": lambda: len(executed) < 10,
        "front_picture": lambda: robot.images()["front"][0].numpy(),
        "wrist_picture": lambda: robot.images()["wrist"][0].numpy(),
        "hand_and_gripper": lambda: robot.proprioception()[0].numpy(),
        "execute": execute,
    }
    exec(code, namespace)
    controller = Controller.load(saved_checkpoint, task="push")
    for action in executed:
        images = known.images() if controller.needs_images() else {}
        expected = controller.act({**images, "proprioception": known.proprioception()})
        np.testing.assert_allclose(action, expected[0], rtol=0, atol=1e-3)
        known.step(expected)
    assert len(executed) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"adapter_size": 4}, {"overview": 0, "encoder_depth": 0}],
    ids=["adapters", "points alone"],
)
def test_other_sizes_are_exported(
    make_policy: MakePolicy,
    save_checkpoint: Callable[..., None],
    tmp_path: Path,
    changes: dict[str, int],
) -> None:
    save_checkpoint(tmp_path / "saved", make_policy(**changes))
    export_onnx(*load_pretrained(tmp_path / "saved"), tmp_path / "policy.onnx")
    assert (tmp_path / "policy.onnx").stat().st_size > 1000


def test_other_actions_are_refused_and_the_old_file_stays(
    saved_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.onnx"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match=r"actions differ from torch's by .* nothing was written"):
        export_onnx(*load_pretrained(saved_checkpoint), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_torch_cannot_export_is_told(
    saved_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator.\nand more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ExportError, match=r"encoder 'points'\) as ONNX \(no such operator\); use"):
        export_onnx(*load_pretrained(saved_checkpoint), tmp_path / "policy.onnx")


def test_mistakes_are_told_before_work_starts(
    saved_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["export", str(saved_checkpoint), "--output", str(tmp_path / "policy.pt")]
    assert main(asked) == 2
    assert "policy.pt'; it must end in .onnx." in capsys.readouterr().err
    policy, contract = load_pretrained(saved_checkpoint)
    with pytest.raises(ConfigError, match="on meta; load it on the CPU"):
        export_onnx(policy.to("meta"), contract, tmp_path / "policy.onnx")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        MissingExtraError, match=r'package onnxscript.*pip install "lam-agent\[onnx'
    ):
        export_onnx(*load_pretrained(saved_checkpoint), tmp_path / "policy.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_latency_of_a_look_is_measured(
    import_benchmark: Callable[[str], ModuleType], tmp_path: Path, saved_checkpoint: Path
) -> None:
    path = tmp_path / "latency.json"
    asked = ["--checkpoint", str(saved_checkpoint), "--looks", "2", "--repeats", "1"]
    import_benchmark("controller_latency").main([*asked, "--json", str(path)])
    found = json.loads(path.read_text(encoding="utf-8"))["milliseconds"]
    assert list(found) == ["controller", "onnx"] and min(found.values()) > 0
