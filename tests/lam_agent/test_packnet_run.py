"""PackNet as a user runs it: an old task acts as it did, and each can be exported."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.checkpoint import load_pretrained
from lam_agent.controller import Controller
from lam_agent.results import read_results


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_arguments: list[str]) -> Path:
    """A run of two tasks, whose test success a worker measured."""
    threads, folder = torch.get_num_threads(), tmp_path_factory.mktemp("packnet") / "run"
    command = ["run", *tiny_arguments, "--output-dir", str(folder), "--strategy", "packnet"]
    assert main([*command, "--workers", "1", "--packnet.share", "0.3"]) == 0
    torch.set_num_threads(threads)
    return folder


@pytest.fixture
def observation(make_observations: Callable[..., dict[str, torch.Tensor]]) -> object:
    """What a robot sees."""
    return make_observations()


@pytest.mark.slow
def test_an_old_task_acts_as_when_it_was_learned(run: Path, observation: object) -> None:
    results = read_results(run / "results.json")
    assert results.finished and results.strategy == "packnet"
    assert results.cost.replay_bytes == 0
    # A float and a byte for each weight, and 64 bags of 512 words.
    assert results.cost.strategy_bytes == 5 * results.cost.trainable_parameters + 4 * 64 * 512
    first, last = run / "checkpoints" / "000_reach", run / "checkpoints" / "last"
    then, now, other = (
        Controller.load(path, task=task).act_chunk(observation)  # type: ignore[type-var]
        for path, task in ((first, "reach"), (last, "reach"), (last, "push"))
    )
    assert torch.equal(now, then)  # type: ignore[arg-type]
    assert not torch.equal(now, other)  # type: ignore[arg-type]
    policy, _ = load_pretrained(last)
    assert policy.packs is not None and policy.packs.num_tasks == 2


@pytest.mark.slow
def test_another_strategy_does_not_start_there(
    run: Path, capsys: pytest.CaptureFixture[str], check_sentence: Callable[[object], str]
) -> None:
    assert main(["run", "--policy.init", str(run), "--task-stream", "push"]) == 2
    words = check_sentence(capsys.readouterr().err.strip())
    assert "--strategy packnet --adapt full" in words


@pytest.mark.slow
def test_a_stream_that_grows_needs_room(
    run: Path, capsys: pytest.CaptureFixture[str], check_sentence: Callable[[object], str]
) -> None:
    longer = "reach,push,drawer-open,window-close"
    assert main(["run", "--resume", str(run), "--task-stream", longer]) == 2
    words = check_sentence(capsys.readouterr().err.strip())
    assert "room for 3 tasks" in words and "0.25" in words


@pytest.mark.slow
def test_each_task_is_a_file(
    run: Path,
    tmp_path: Path,
    observation: dict[str, torch.Tensor],
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    file = tmp_path / "reach.onnx"
    command = ["export", str(run), "--output", str(file)]
    for wrong, expected in (([], "name it by --task"), (["--task", "puhs"], "did you mean 'push'")):
        assert main([*command, *wrong]) == 2 and not file.exists()
        assert expected in check_sentence(capsys.readouterr().err.strip())
    assert main([*command, "--task", "reach"]) == 0
    assert "for reach;" in " ".join(capsys.readouterr().out.split())
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = {key: value.numpy() for key, value in observation.items()}
    (found,) = session.run(["actions"], {**given, "task": np.zeros(3, dtype=np.int64)})
    expected_actions = Controller.load(run, task="reach").act_chunk(observation)
    np.testing.assert_allclose(found, expected_actions.numpy(), rtol=0, atol=1e-4)
