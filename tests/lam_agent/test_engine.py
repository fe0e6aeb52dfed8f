"""The warp engine behind collecting and evaluating, here on Warp's CPU device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import torch

from lam_agent.config import CollectConfig, RunConfig, SimConfig
from lam_agent.demonstrations.collect import collect_episodes
from lam_agent.demonstrations.load import content_key
from lam_agent.errors import ConfigError
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.pretrain.processes import joined_processes
from lam_agent.system import resolve_device, simulation_on
from lam_agent.teachers.scripted import scripted_teacher
from lam_envs.sim.making import Engine
from lam_envs.warp_runtime import wp

EPISODES = 4


@pytest.mark.parametrize(
    ("engine", "device", "expected"),
    [
        ("auto", "cpu", ("native", "cpu")),
        ("auto", "cuda", ("warp", "cuda")),
        ("auto", "cuda:1", ("warp", "cuda:1")),
        ("native", "cuda", ("native", "cpu")),
        ("warp", "cpu", ("warp", "cpu")),
    ],
)
def test_the_engine_follows_the_device(
    engine: str, device: str, expected: tuple[Engine, str]
) -> None:
    assert simulation_on(engine, device) == expected


def test_a_gpu_may_be_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    names = {"auto": "cuda", "cuda": "cuda", "cuda:1": "cuda:1", "cpu": "cpu"}
    assert {name: resolve_device(name) for name in names} == names
    with pytest.raises(ConfigError, match="'cuda:2', but torch finds 2 CUDA devices"):
        resolve_device("cuda:2")
    keys = {content_key("push", RunConfig(device=name)) for name in ("cuda", "cuda:1")}
    assert len(keys) == 1  # Demonstrations do not depend on which GPU collects them.


def test_processes_that_share_the_work_do_not_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="each of the 2 processes takes a GPU of its own"):
        joined_processes("cuda:1").__enter__()


def test_demonstrations_of_another_engine_are_others() -> None:
    native, warp = (RunConfig(device="cpu", sim=SimConfig(engine=e)) for e in ("auto", "warp"))
    assert content_key("push", native) != content_key("push", warp)


@pytest.mark.slow
def test_demonstrations_of_both_engines_are_alike() -> None:
    config = CollectConfig(noise_std=0.0, steps_after_success=4, batch=2)
    native, warp = (
        collect_episodes(
            "push",
            scripted_teacher,
            episodes=EPISODES,
            seed=0,
            config=config,
            image_size=32,
            horizon=200,
            threads=1,
            engine=engine,
        )
        for engine in get_args(Engine)
    )
    assert bool(native.is_success.all()) and bool(warp.is_success.all())
    lengths = (native.episode_start.diff() - warp.episode_start.diff()).abs()
    assert int(lengths.max()) <= 8
    for name in ("proprioception", "tracked"):
        first = getattr(native, name)[:5] - getattr(warp, name)[:5]  # Before the first contact.
        assert float(first.abs().max()) < 1e-3, name
    for camera, images in native.images.items():
        difference = images[:5].int() - warp.images[camera][:5].int()
        assert float((difference.abs() > 1).float().mean()) < 0.01, camera


@pytest.mark.slow
def test_both_engines_evaluate_a_policy_alike(
    make_policy: Callable[..., VisualActionPolicy],
) -> None:
    native, warp = (
        evaluate(
            make_policy(),
            "reach",
            episodes=EPISODES,
            split="test",
            horizon=12,
            threads=1,
            sim=SimConfig(engine=engine),
        )
        for engine in ("native", "warp")
    )
    torch.testing.assert_close(warp.reward, native.reward, rtol=1e-3, atol=1e-3)
    assert not bool(warp.is_unstable.any())
    for name, value in vars(warp).items():
        if isinstance(value, torch.Tensor):
            assert value.shape == (EPISODES,) and value.dtype == getattr(native, name).dtype


@pytest.mark.slow
def test_the_throughput_of_the_engine_is_measured(
    import_benchmark: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    path = tmp_path / "engine.json"
    asked = ["--device", "cpu", "--tasks", "push", "--worlds", "2", "--steps", "4"]
    import_benchmark("engine_throughput").main([*asked, "--repeats", "1", "--json", str(path)])
    (row,) = json.loads(path.read_text(encoding="utf-8"))["rows"]
    rates = row["steps_per_second"]
    assert next(iter(rates)) == "bare, state" and len(rates) == 9
    assert all(rate > 0 for rate in rates.values())
    assert row["of_the_bare_loop"]["state"] == rates["state"] / rates["bare, state"]
    assert len(row["of_the_bare_loop"]) == 6


def test_seconds_of_evaluating_are_measured(
    import_benchmark: Callable[[str], ModuleType],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "evaluation.json"
    benchmark = import_benchmark("engine_evaluation")
    asked = ["--tasks", "reach", "--episodes", "2", "--json", str(path)]
    benchmark.main([*asked, "--device", "cpu"])
    found = json.loads(path.read_text(encoding="utf-8"))
    (row,) = found["rows"]
    assert found["engine"] == "native" and row["task"] == "reach"
    assert 0 < row["again_s"] == found["total_s"]
    with pytest.raises(SystemExit):
        benchmark.main([*asked, "--device", "cuda:99"])
    assert "device is 'cuda:99', but torch finds" in capsys.readouterr().err


def test_parity_tells_of_pictures_states_and_success(
    import_benchmark: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    path = tmp_path / "parity.json"
    benchmark = import_benchmark("engine_parity")
    benchmark.main(["--tasks", "reach", "--episodes", "2", "--json", str(path)])
    (row,) = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert row["pictures"]["share_over_one"] < 1e-3
    assert row["steps_within_1e-3"]["least"] > 10
    assert row["success_native"] == row["success_warp"] == 1.0


@pytest.mark.slow
def test_parts_of_a_step_are_measured(
    import_benchmark: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    path = tmp_path / "parts.json"
    asked = ["--device", "cpu", "--worlds", "2", "--calls", "2", "--json", str(path)]
    import_benchmark("engine_parts").main(asked)
    (row,) = json.loads(path.read_text(encoding="utf-8"))["rows"]
    parts = row["milliseconds"]
    assert {"bare", "step", "both cameras", "policy"} <= set(parts)
    assert all(0 < part["program"] <= part["all"] for part in parts.values())


def test_a_measurement_that_fails_leaves_the_others(
    import_benchmark: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    benchmark = import_benchmark("gpu")
    monkeypatch.setattr(
        benchmark,
        "MEASUREMENTS",
        {
            "bad": benchmark.Measurement("-c raise", 30),
            "endless": benchmark.Measurement("-c while(True):pass", 1),
            "good": benchmark.Measurement("-m json.tool {json}", 30),
        },
    )
    (tmp_path / "good.json").write_text('{"rate": 3}', encoding="utf-8")
    benchmark.main(["--out", str(tmp_path), "--only", "bad,endless,good"])
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["measurements"]
    assert found["bad"]["status"] == 1 and "RuntimeError" in found["bad"]["printed"]
    assert found["endless"]["status"] == "stopped after 1 s"
    assert found["good"]["status"] == 0 and found["good"]["found"] == {"rate": 3}
    benchmark.main(["--out", str(tmp_path), "--only", "good", "--seconds", "0"])
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["measurements"]
    assert found == {"good": {"status": "left out: no time was left"}}
    with pytest.raises(SystemExit):
        benchmark.main(["--only", "bed"])
    assert "there is no 'bed'; there are bad, endless, good" in capsys.readouterr().err


@pytest.mark.slow
def test_kernels_are_compiled_ahead_once(
    import_benchmark: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = import_benchmark("engine_kernels")
    monkeypatch.setattr(wp.config, "kernel_cache_dir", wp.config.kernel_cache_dir)
    variants = benchmark.launches(["reach"])
    blocks = {block for _, block in variants}
    assert len(variants) > 40 and len(blocks) > 1  # Of mujoco_warp some have blocks of their own.
    ours = {key: module for key, module in variants.items() if key[0] == "lam_envs.sim.kernels"}
    assert [benchmark.compile_for(ours, 90, tmp_path) for _ in range(2)] == [1, 0]
    assert len(list(tmp_path.rglob("*.sm90.cubin"))) == 1
