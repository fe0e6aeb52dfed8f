"""Teachers by reinforcement learning: they learn, alike each time, and demonstrate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from lam_agent.__main__ import main
from lam_agent.config import CollectConfig, EvalConfig, PolicyConfig, RunConfig
from lam_agent.config.teaching import TeachingConfig
from lam_agent.demonstrations.folder import demonstration_source
from lam_agent.demonstrations.load import content_key
from lam_agent.episodes import EpisodeSet
from lam_agent.seeding import start_seeds
from lam_agent.teachers import training
from lam_agent.teachers.trained import TrainedTeacher
from lam_agent.teachers.training import _network_of, success_of, train_teacher
from lam_agent.teachers.worlds import Worlds
from lam_envs.batched import BatchedEnv

TINY = TeachingConfig(
    steps=320,
    worlds=4,
    validation_episodes=3,
    validate_every=100,
    rollout=20,
    batch_size=32,
    epochs=2,
    width=8,
)
TINY_WORDS = (
    *("--teaching.steps", "320", "--teaching.worlds", "4", "--teaching.rollout", "20"),
    *("--teaching.validation-episodes", "3", "--teaching.validate-every", "100"),
    *("--teaching.batch-size", "32", "--teaching.width", "8", "--horizon", "20"),
)

pytestmark = pytest.mark.usefixtures("kept_threads")


def teach(threads: int | None = 1) -> tuple[TrainedTeacher, list[TrainedTeacher]]:
    kept: list[TrainedTeacher] = []
    best = train_teacher("reach", TINY, seed=3, horizon=20, threads=threads, keep=kept.append)
    return best, kept


def test_the_same_seed_trains_the_same_teacher() -> None:
    (one, kept), (two, _) = teach(), teach(2)
    assert kept and kept[-1] is one
    assert one.said["steps"] <= 320 and one.said == two.said
    theirs = two.network.state_dict()
    assert all(torch.equal(theirs[k], v) for k, v in one.network.state_dict().items())
    assert not torch.equal(one.network.mean, torch.zeros(39))


def test_training_takes_whole_rollouts_as_its_help_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = replace(TINY, steps=TINY.steps + 1, validate_every=10_000, target_success=1.0)
    best = train_teacher("reach", config, seed=3, horizon=20, threads=1, keep=lambda _: None)
    rollout = TINY.rollout * TINY.worlds
    assert best.said["steps"] == TINY.steps + rollout and TINY.steps % rollout == 0
    with pytest.raises(SystemExit):
        main(["train-teacher", "--help"])
    assert "at most; rounded up to whole rollouts" in " ".join(
        capsys.readouterr().out.replace("│", " ").split()
    )


def test_validations_do_not_move_what_is_trained() -> None:
    ends = []
    for every in (1, 10_000):
        config = replace(TINY, validate_every=every, target_success=1.0)
        seen: list[TrainedTeacher] = []
        real = training.success_of

        def noted(teacher: TrainedTeacher, env: BatchedEnv) -> tuple[float, float]:
            seen.append(teacher)  # noqa: B023
            return real(teacher, env)  # noqa: B023

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "success_of", noted)
            train_teacher("reach", config, seed=3, horizon=20, threads=1, keep=lambda _: None)
        ends.append(seen)
    assert len(ends[0]) > len(ends[1]) == 1
    last = ends[1][-1].network.state_dict()
    assert all(torch.equal(last[k], v) for k, v in ends[0][-1].network.state_dict().items())


def test_the_network_is_the_policy_without_noise() -> None:
    env = BatchedEnv("reach", 4, cameras=(), horizon=20, num_threads=1)
    worlds = VecNormalize(Worlds(env, 0))
    model = PPO(
        "MlpPolicy",
        worlds,
        n_steps=16,
        batch_size=64,
        device="cpu",
        seed=0,
        policy_kwargs={"net_arch": [8, 8]},
    )
    model.learn(200)
    network = _network_of(model, worlds, 8)
    seen = worlds.normalize_obs(env.state.float().numpy())
    expected, _ = model.predict(np.asarray(seen, np.float32), deterministic=True)
    found = network(env.state)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_a_task_is_learned_until_it_is_good_enough() -> None:
    config = TeachingConfig(steps=120_000, target_success=0.2, validate_every=20_000)
    kept: list[TrainedTeacher] = []
    best = train_teacher("drawer-close", config, seed=0, horizon=200, keep=kept.append)
    assert min(best.said["success"], best.said["success_at_end"]) >= 0.2
    assert best.said["steps"] < 120_000  # It ended early.
    judge = BatchedEnv("drawer-close", 50, cameras=())
    assert success_of(best, judge) == (best.said["success"], best.said["success_at_end"])


def test_the_command_writes_a_teacher_that_demonstrates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check_sentence: Callable[[object], str]
) -> None:
    folder = tmp_path / "teachers"
    words = ["train-teacher", "--tasks", "reach", "--output", str(folder), "--threads", "1"]
    assert main([*words, *TINY_WORDS]) == 0
    assert "validation episodes succeed" in capsys.readouterr().out
    assert [file.name for file in folder.iterdir()] == ["reach.safetensors"]
    assert main([*words, *TINY_WORDS]) == 2
    assert "exists already" in check_sentence(capsys.readouterr().err.strip())

    collect = ["collect", "--tasks", "reach", "--demonstrations", "2", "--horizon", "20"]
    collect += ["--image-size", "32", "--collect.keep-failures", "--threads", "1"]
    collect += ["--collect.noisy-fraction", "0", "--collect.cache-dir", str(tmp_path / "cache")]
    for name, more in (("script", []), ("trained", ["--collect.teachers", str(folder)])):
        assert main([*collect, "--output", str(tmp_path / name), *more]) == 0
    script, trained = (
        EpisodeSet.load(tmp_path / name / "reach.safetensors") for name in ("script", "trained")
    )
    teacher = TrainedTeacher.load(folder / "reach.safetensors")
    env = BatchedEnv("reach", 1, cameras=(), horizon=20, num_threads=1)
    env.reset(seeds=start_seeds("reach", "demonstration", 1))
    assert torch.equal(trained.actions[:1], teacher(env))
    assert not torch.equal(script.actions[:1], trained.actions[:1])


def test_demonstrations_are_known_by_their_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    best, _ = teach()
    best.save(tmp_path / "reach.safetensors")
    plain = RunConfig(
        task_stream=("reach", "push"),
        policy=PolicyConfig(image_size=32),
        eval=EvalConfig(horizon=20),
    )
    taught = replace(plain, collect=CollectConfig(teachers=tmp_path))
    assert content_key("push", taught) == content_key("push", plain)
    key = content_key("reach", taught)
    assert key != content_key("reach", plain)
    source = demonstration_source(taught)
    assert list(source["trained_teachers"]) == ["reach"]
    assert "trained_teachers" not in demonstration_source(plain)
    json.dumps(source)
    best.network.mean.add_(1.0)
    best.save(tmp_path / "reach.safetensors")
    assert content_key("reach", taught) != key


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--tasks", "raech"], "did you mean 'reach'"),
        (["--seed", "-1"], "seed is -1"),
        (["--threads", "0"], "threads is 0"),
        (["--horizon", "0"], "horizon is 0"),
        (["--teaching.rollout", "1"], "teaching.rollout is 1; it must be at least 2"),
        (["--teaching.discount", "1"], "teaching.discount is 1.0"),
        (["--teaching.width", "5000"], "teaching.width is 5000; it must be at most 4096"),
        (["--teaching.learning-rate", "0"], "teaching.learning-rate is 0.0"),
    ],
)
def test_mistakes_are_told_before_training(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Callable[[object], str],
    words: list[str],
    part: str,
) -> None:
    command = ["train-teacher", "--tasks", "reach", "--output", str(tmp_path / "new"), *words]
    assert main(command) == 2
    assert part in check_sentence(capsys.readouterr().err.strip())
    assert not list(tmp_path.iterdir())
