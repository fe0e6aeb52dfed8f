"""Worlds whose physics breaks: demonstrations are left out, tests fail, both are counted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_agent.config import CollectConfig, EvalConfig, PolicyConfig, RunConfig, SimConfig
from lam_agent.demonstrations.collect import collect_episodes
from lam_agent.demonstrations.load import load_demonstrations, unstable_words
from lam_agent.episodes import EpisodeSet
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.running.record import RunRecord
from lam_agent.teachers.scripted import scripted_teacher
from lam_agent.types import Teacher
from lam_envs.batched import BatchedEnv, StepResult
from lam_envs.errors import UnstableSimulationError

CONFIG = CollectConfig(
    noise_std=0.0, keep_failures=True, steps_after_success=4, batch=3, look_every=2
)
HORIZON = 30


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MuJoCo writes its warnings to MUJOCO_LOG.TXT."""
    monkeypatch.chdir(tmp_path)


def breaking(*, world: int, step: int) -> Teacher:
    """Return a teacher that breaks a world once, or all of them for world -1 at every step."""
    calls = 0

    def teacher(env: BatchedEnv) -> torch.Tensor:
        nonlocal calls
        calls += 1
        actions = scripted_teacher(env)
        if world < 0:
            env.sim.field("qvel").fill_(torch.nan)
        elif calls == step:
            env.sim.field("qvel")[world, 3] = torch.nan
        return actions

    return teacher


def collect(teacher: Teacher, episodes: int = 4, **changes: Any) -> EpisodeSet:
    return collect_episodes(
        "reach",
        teacher,
        episodes=episodes,
        seed=0,
        config=CONFIG,
        image_size=32,
        horizon=HORIZON,
        threads=1,
        **changes,
    )


def test_a_demonstration_that_breaks_stops_the_collection() -> None:
    words = r"world 1 of reach became unstable in control step 7 of its episode .*on-unstable drop"
    with pytest.raises(UnstableSimulationError, match=words):
        collect(breaking(world=1, step=7))


def test_a_demonstration_that_breaks_is_left_out(tmp_path: Path) -> None:
    whole = collect(scripted_teacher)
    left = collect(breaking(world=1, step=7), on_unstable="drop")
    assert (left.num_episodes, left.num_unstable, whole.num_unstable) == (3, 1, 0)
    kept = [0, 2, 3]
    starts, others = whole.episode_start, left.episode_start
    for ours, theirs in enumerate(kept):
        expected = whole.actions[starts[theirs] : starts[theirs + 1]]
        assert torch.equal(left.actions[others[ours] : others[ours + 1]], expected)
    assert torch.equal(left.is_success, whole.is_success[kept])
    left.save(tmp_path / "reach.safetensors")
    assert EpisodeSet.load(tmp_path / "reach.safetensors").num_unstable == 1
    assert (
        unstable_words("reach", left) == "1 of 4 demonstrations of reach became unstable: left out."
    )


def test_nothing_is_left_where_all_demonstrations_break() -> None:
    with pytest.raises(UnstableSimulationError, match="all 2 demonstrations of reach became unst"):
        collect(breaking(world=-1, step=1), episodes=2, on_unstable="drop")


def test_the_cache_gives_incomplete_demonstrations_to_those_who_drop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = RunConfig(
        demonstrations=3,
        threads=1,
        collect=replace(CONFIG, cache_dir=tmp_path),
        policy=PolicyConfig(image_size=32),
        eval=EvalConfig(horizon=HORIZON),
        sim=SimConfig("drop"),
    )
    name = "lam_agent.teachers.choice.scripted_teacher"
    monkeypatch.setattr(name, breaking(world=0, step=3))
    episodes, is_cached = load_demonstrations("reach", drop)
    assert (episodes.num_episodes, episodes.num_unstable, is_cached) == (2, 1, False)
    episodes, is_cached = load_demonstrations("reach", drop)
    assert (episodes.num_unstable, is_cached) == (1, True)
    monkeypatch.setattr(name, scripted_teacher)
    episodes, is_cached = load_demonstrations("reach", replace(drop, sim=SimConfig("raise")))
    assert (episodes.num_episodes, episodes.num_unstable, is_cached) == (3, 0, False)


def test_a_test_episode_that_breaks_fails_and_is_counted(
    make_policy: Callable[..., VisualActionPolicy], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy()
    step = BatchedEnv.step

    def successful(self: BatchedEnv, actions: torch.Tensor) -> StepResult:
        """Break world 1 at the third step; all worlds that are whole succeed at every step."""
        if int(self._steps[1]) == 2:
            self.sim.field("qvel")[1, 3] = torch.nan
        result = step(self, actions)
        return replace(result, is_success=~result.is_unstable)

    monkeypatch.setattr(BatchedEnv, "step", successful)
    arguments: dict[str, Any] = {"episodes": 3, "split": "test", "horizon": 6, "threads": 1}
    with pytest.raises(UnstableSimulationError, match=r"world 1 of reach .* control step 3 "):
        evaluate(policy, "reach", **arguments)
    measured = evaluate(policy, "reach", **arguments, sim=SimConfig(on_unstable="drop"))
    # It had succeeded before it broke, which does not count.
    assert measured.is_success.tolist() == [True, False, True]
    assert measured.is_success_at_end.tolist() == [True, False, True]
    assert (measured.is_unstable.tolist(), measured.num_unstable) == ([False, True, False], 1)

    config = RunConfig(("reach",), sim=SimConfig("drop"))
    record = RunRecord(config, policy)
    record.add(0, 0, measured)
    record.unstable_demonstrations["reach"] = 2
    counts = record.protocol["unstable_episodes"]
    assert (counts["demonstrations"], counts["test"]) == (2, 1)
    assert counts["rule"] == "a test episode fails, a demonstration is left out"
    again = RunRecord(config, policy)
    again.load(record.results(finished=False))
    assert again.protocol == record.protocol
