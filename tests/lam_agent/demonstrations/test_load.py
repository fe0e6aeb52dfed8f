"""The cache of demonstrations: hits, damage, and what its key depends on."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_agent.config import CollectConfig, EvalConfig, PolicyConfig, RunConfig
from lam_agent.demonstrations.load import (
    content_key,
    default_cache_dir,
    demonstration_file,
    load_demonstrations,
)
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import ConfigError
from lam_envs.randomisation.ranges import Randomisation

Damage = Callable[[Path], object]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """A run with two tiny demonstrations and a cache of its own."""
    return RunConfig(
        demonstrations=2,
        threads=1,
        eval=EvalConfig(horizon=6),
        collect=CollectConfig(keep_failures=True, cache_dir=tmp_path / "cache"),
        policy=PolicyConfig(image_size=32),
    )


def assert_equal(found: EpisodeSet, expected: EpisodeSet) -> None:
    assert torch.equal(found.actions, expected.actions)
    assert torch.equal(found.images["wrist"], expected.images["wrist"])
    assert torch.equal(found.look_step, expected.look_step)


def test_the_second_time_comes_from_the_cache_and_is_equal(config: RunConfig) -> None:
    collected, was_cached = load_demonstrations("push", config)
    cached, is_cached = load_demonstrations("push", config)
    assert (was_cached, is_cached) == (False, True)
    assert_equal(cached, collected)
    path = demonstration_file("push", config)
    assert path.parent == config.collect.cache_dir
    assert {file.name for file in path.parent.iterdir()} == {
        path.name,
        path.with_suffix(".sha256").name,
    }


def test_a_cache_that_cannot_be_written_is_a_warning(
    config: RunConfig, caplog: pytest.LogCaptureFixture, check_sentence: Callable[[object], str]
) -> None:
    cached, _ = load_demonstrations("push", config)
    nowhere = replace(config, collect=replace(config.collect, cache_dir=Path("/proc/nope")))
    with caplog.at_level(logging.WARNING):
        collected, is_cached = load_demonstrations("push", nowhere)
    assert not is_cached
    assert_equal(collected, cached)
    (record,) = caplog.records
    words = check_sentence(record.getMessage())
    assert words.startswith("The cache /proc/nope cannot be written (")
    assert "kept in memory alone" in words and "--collect.cache-dir" in words
    with pytest.raises(ConfigError, match="cannot be written"):
        load_demonstrations("push", nowhere, is_cache_needed=True)


def test_randomised_demonstrations_look_otherwise_and_have_another_key(config: RunConfig) -> None:
    randomised = replace(config, randomise=Randomisation(colours=1.0))
    plain, _ = load_demonstrations("push", config)
    other, was_cached = load_demonstrations("push", randomised)
    assert not was_cached
    assert torch.equal(other.actions, plain.actions)
    assert not torch.equal(other.images["front"], plain.images["front"])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.with_suffix(".sha256").unlink(),
        lambda path: path.with_suffix(".sha256").write_text("0" * 64),
    ],
    ids=["flipped", "truncated", "empty", "no seal", "other seal"],
)
def test_a_damaged_file_is_collected_anew_with_a_warning(
    config: RunConfig, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = load_demonstrations("reach", config)
    path = demonstration_file("reach", config)
    content = path.read_bytes()
    damage(path)
    with caplog.at_level(logging.WARNING, "lam_agent.demonstrations"):
        again, is_cached = load_demonstrations("reach", config)
    assert not is_cached
    assert_equal(again, first)
    (record,) = caplog.records
    assert str(path) in record.getMessage() and "collected anew" in record.getMessage()
    assert path.read_bytes() == content
    assert load_demonstrations("reach", config)[1]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"demonstrations": 3},
        {"eval": {"horizon": 7}},
        {"policy": {"image_size": 36}},
        {"collect": {"noise_std": 0.123}},
        {"collect": {"noise_correlation": 0.123}},
        {"collect": {"noisy_fraction": 0.123}},
        {"collect": {"keep_failures": False}},
        {"collect": {"steps_after_success": 1}},
        {"collect": {"look_every": 1}},
    ],
    ids=str,
)
def test_what_shapes_the_demonstrations_changes_the_key(
    config: RunConfig, change: dict[str, Any]
) -> None:
    changed = apply(config, change)
    assert content_key("reach", changed) != content_key("reach", config)
    assert content_key("push", config) != content_key("reach", config)


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 2},
        {"strategy": "ewc"},
        {"task_stream": ("push",)},
        {"collect": {"batch": 1}},
        {"collect": {"cache_dir": None}},
        {"eval": {"episodes": 3}},
        {"policy": {"width": 32}},
        {"train": {"max_steps": 3}},
    ],
    ids=str,
)
def test_what_does_not_shape_them_does_not(config: RunConfig, change: dict[str, Any]) -> None:
    assert content_key("reach", apply(config, change)) == content_key("reach", config)


def apply(config: RunConfig, change: dict[str, Any]) -> RunConfig:
    """Return a configuration with some settings changed, sections given as dicts."""
    values = {
        name: replace(getattr(config, name), **value) if isinstance(value, dict) else value
        for name, value in change.items()
    }
    return replace(config, **values)


def test_the_key_is_stable_within_a_version(config: RunConfig) -> None:
    assert content_key("reach", config) == content_key("reach", apply(config, {}))
    assert len(content_key("reach", config)) == 24


def test_keys_after_the_first_read_no_sources(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = content_key("reach", config)
    monkeypatch.delattr(Path, "read_bytes")
    monkeypatch.delattr("lam_agent.system.version")
    assert content_key("reach", config) == key


def test_the_default_cache_is_in_the_users_cache_folder(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "lam_agent" / "demonstrations"
    unset = replace(config, collect=replace(config.collect, cache_dir=None))
    assert demonstration_file("push", unset).parent == default_cache_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache_dir() == tmp_path / "home" / ".cache" / "lam_agent" / "demonstrations"
