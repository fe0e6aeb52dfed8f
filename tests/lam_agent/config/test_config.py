"""Configuration: what each setting refuses, and what the whole refuses."""

import json
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from lam_agent.config import (
    ADAPTATION_MODES,
    AdaptationConfig,
    AugmentConfig,
    CollectConfig,
    EvalConfig,
    EwcConfig,
    L2Config,
    MasConfig,
    MemoryConfig,
    PackNetConfig,
    PolicyConfig,
    PretrainingConfig,
    ReplayConfig,
    RunConfig,
    TrainConfig,
    to_plain,
)
from lam_agent.config.options import value_after
from lam_agent.errors import ConfigError
from lam_agent.strategies import BUILT_IN
from lam_envs.errors import UnknownTaskError
from lam_envs.names import STREAMS
from lam_envs.tasks.registry import task_names

Check = Callable[[object], str]

SECTIONS: dict[str, type] = {
    "": RunConfig,
    "eval.": EvalConfig,
    "collect.": CollectConfig,
    "policy.": PolicyConfig,
    "adaptation.": AdaptationConfig,
    "train.": TrainConfig,
    "augment.": AugmentConfig,
    "replay.": ReplayConfig,
    "pretraining.": PretrainingConfig,
    "memory.": MemoryConfig,
    "ewc.": EwcConfig,
    "mas.": MasConfig,
    "l2.": L2Config,
    "packnet.": PackNetConfig,
}

OUT_OF_RANGE: list[tuple[str, str, Any]] = [
    ("", "seed", -1),
    ("", "demonstrations", 0),
    ("", "threads", 0),
    ("", "video", -1),
    ("eval.", "episodes", 0),
    ("eval.", "horizon", 0),
    ("eval.", "validation_episodes", -3),
    ("collect.", "noise_std", -0.1),
    ("collect.", "noisy_fraction", 1.01),
    ("collect.", "noisy_fraction", -0.01),
    ("collect.", "noise_correlation", 1.0),
    ("collect.", "noise_correlation", -0.1),
    ("collect.", "steps_after_success", -1),
    ("collect.", "look_every", 0),
    ("collect.", "batch", 0),
    ("policy.", "image_size", 28),
    ("policy.", "image_size", 33),
    ("policy.", "chunk_length", 0),
    ("policy.", "execute_length", 0),
    ("policy.", "execute_length", 9),
    ("policy.", "width", 0),
    ("policy.", "width", 30),
    ("policy.", "depth", 0),
    ("policy.", "heads", 0),
    ("policy.", "heads", 3),
    ("policy.", "channels", 0),
    ("policy.", "keypoints", 0),
    ("train.", "max_steps", 0),
    ("train.", "validate_every", 0),
    ("train.", "patience", 0),
    ("policy.", "adapter_size", -1),
    ("adaptation.", "rank", 0),
    ("adaptation.", "bottleneck", 0),
    ("train.", "batch_size", 0),
    ("train.", "accumulate", 0),
    ("train.", "encoder_rate", 0.0),
    ("train.", "dropout", 1.0),
    ("train.", "dropout", -0.1),
    ("train.", "warmup_steps", -1),
    ("train.", "learning_rate", 0.0),
    ("train.", "weight_decay", -1e-9),
    ("train.", "average_decay", 1.0),
    ("train.", "average_decay", -0.1),
    ("train.", "clip_norm", 0.0),
    ("train.", "auxiliary_weight", -1.0),
    ("train.", "shift_pixels", -1),
    ("augment.", "copies", -1),
    ("augment.", "copies", 65),
    ("augment.", "colours", 1.5),
    ("augment.", "shift", 0.6),
    ("augment.", "turn_deg", -1.0),
    ("augment.", "zoom", 0.6),
    ("replay.", "memory_mb", 0.0),
    ("replay.", "batch_fraction", 0.0),
    ("replay.", "batch_fraction", 1.0),
    ("replay.", "outputs_weight", -1.0),
    ("replay.", "demonstrations_weight", -1.0),
    ("pretraining.", "demonstrations", -1),
    ("pretraining.", "fraction", 0.0),
    ("pretraining.", "fraction", 1.0),
    ("memory.", "frames", -1),
    ("memory.", "episodes", 0),
    ("ewc.", "strength", -1.0),
    ("ewc.", "fisher_samples", 0),
    ("mas.", "strength", -1.0),
    ("mas.", "samples", 0),
    ("l2.", "strength", -1.0),
    ("packnet.", "share", 0.0),
    ("packnet.", "share", 1.0),
    ("packnet.", "dense_fraction", 0.0),
    ("packnet.", "dense_fraction", 1.0),
]

NUMBERS = [
    (prefix, item.name)
    for prefix, section in SECTIONS.items()
    for item in fields(section)
    if item.type == "float"
]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"colours": 0.5}, "augment.colours is 0.5, but there are no altered copies"),
        ({"copies": 2, "colours": 0, "shift": 0, "turn_deg": 0, "zoom": 0}, "nothing of them is"),
    ],
)
def test_altered_copies_that_are_none_are_refused(
    settings: dict[str, float], words: str, check_sentence: Callable[[object], str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        AugmentConfig(**settings)  # type: ignore[arg-type]
    assert words in check_sentence(caught.value)


def flag_of(prefix: str, name: str) -> str:
    """Return the name of a setting as the command line spells it, without the dashes."""
    return prefix + name.replace("_", "-")


@pytest.mark.parametrize(("prefix", "name", "value"), OUT_OF_RANGE)
def test_a_number_out_of_range_is_refused_by_name(
    prefix: str, name: str, value: object, check_sentence: Check
) -> None:
    with pytest.raises(ConfigError) as caught:
        SECTIONS[prefix](**{name: value})
    words = check_sentence(caught.value)
    # A limit that two settings share names the one that depends on the other.
    named = "policy.width" if (prefix, name) == ("policy.", "heads") and value else None
    assert words.startswith(f"{named or flag_of(prefix, name)} is ")
    assert "it must be" in words


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("prefix", "name"), NUMBERS)
def test_nan_and_infinity_are_refused(
    prefix: str, name: str, value: float, check_sentence: Check
) -> None:
    with pytest.raises(ConfigError) as caught:
        SECTIONS[prefix](**{name: value})
    assert check_sentence(caught.value).startswith(f"{flag_of(prefix, name)} is {value}; ")


def test_the_limits_themselves_are_allowed() -> None:
    EvalConfig(episodes=1, horizon=1, validation_episodes=1)
    CollectConfig(noise_std=0.0, noisy_fraction=1.0, steps_after_success=0, look_every=1, batch=1)
    PolicyConfig(image_size=32, chunk_length=1, execute_length=1, width=1, depth=1, heads=1)
    TrainConfig(max_steps=1, weight_decay=0.0, auxiliary_weight=0.0, shift_pixels=0)
    EwcConfig(strength=0.0, fisher_samples=1)
    RunConfig(seed=0, demonstrations=1, threads=1, video=0)


def test_an_unknown_task_is_told_with_the_nearest_and_the_list(check_sentence: Check) -> None:
    with pytest.raises(UnknownTaskError) as caught:
        RunConfig(task_stream=("reach", "puhs"))
    words = check_sentence(caught.value)
    assert "'puhs' (did you mean 'push'?)" in words
    assert f"the tasks are {', '.join(task_names())};" in words


def test_an_unknown_strategy_is_told_with_the_nearest_and_the_list(check_sentence: Check) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(strategy="reply")
    words = check_sentence(caught.value)
    assert "'reply' (did you mean 'replay'?)" in words
    assert words.endswith(f"the strategies are {', '.join(BUILT_IN)}.")


def test_an_unknown_mode_is_told_with_the_nearest_and_the_list(check_sentence: Check) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(adapt="trunc")
    words = check_sentence(caught.value)
    assert "no adaptation mode 'trunc' (did you mean 'trunk'?)" in words
    assert words.endswith(f"the modes are {', '.join(ADAPTATION_MODES)}.")


@pytest.mark.parametrize("adapt", [mode for mode in ADAPTATION_MODES if mode != "full"])
def test_pictures_that_are_encoded_once_are_not_shifted(adapt: str, check_sentence: Check) -> None:
    with pytest.raises(ConfigError, match=r"train\.shift-pixels is 2") as caught:
        RunConfig(adapt=adapt, train=TrainConfig(shift_pixels=2))
    assert f"--adapt {adapt}" in check_sentence(caught.value)


def test_features_are_replayed_where_the_encoders_are_frozen_alone(check_sentence: Check) -> None:
    with pytest.raises(ConfigError, match=r"replay\.store is 'features'") as caught:
        RunConfig(adapt="full", replay=ReplayConfig(store="features"))
    check_sentence(caught.value)
    assert not RunConfig(adapt="full").replays_features
    assert RunConfig(adapt="head").replays_features
    assert RunConfig(adapt="lora", replay=ReplayConfig(store="features")).replays_features
    assert not RunConfig(adapt="lora", replay=ReplayConfig(store="images")).replays_features


def test_a_weight_that_would_do_nothing_is_refused(check_sentence: Check) -> None:
    alone = ReplayConfig(demonstrations_weight=0.2)
    assert RunConfig(replay=alone).demonstrations_weight == 0.2
    for replay, adapt in (
        (alone, "full"),
        (ReplayConfig(outputs_weight=0.0, demonstrations_weight=0.2), "trunk"),
    ):
        with pytest.raises(ConfigError, match=r"replay\.demonstrations-weight is 0\.2") as caught:
            RunConfig(adapt=adapt, replay=replay)
        assert "set --replay.outputs-weight" in check_sentence(caught.value)


def test_the_trunk_of_pretrained_weights_is_trained_unless_all_is_asked_for() -> None:
    random = PolicyConfig(init="none")
    assert RunConfig().adapt == RunConfig(adapt="auto").adapt == "trunk"
    assert RunConfig(policy=random).adapt == "full"
    assert RunConfig(adapt="full").adapt == "full"
    assert RunConfig(adapt="head", policy=random).adapt == "head"


def test_the_mode_adapter_gives_the_policy_adapters() -> None:
    assert RunConfig().policy.adapter_size == 0
    assert RunConfig(adapt="adapter").policy.adapter_size == 16
    config = RunConfig(adapt="adapter", adaptation=AdaptationConfig(bottleneck=5))
    assert config.policy.adapter_size == 5


def test_a_name_that_is_near_to_none_gets_no_suggestion(check_sentence: Check) -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(strategy="zzz")
    assert "did you mean" not in check_sentence(caught.value)


def test_an_empty_stream_is_refused(check_sentence: Check) -> None:
    with pytest.raises(ConfigError, match="task-stream") as caught:
        RunConfig(task_stream=())
    check_sentence(caught.value)


def test_repeats_need_to_be_allowed(check_sentence: Check) -> None:
    with pytest.raises(ConfigError, match=r"'reach' more than once.*--allow-repeats") as caught:
        RunConfig(task_stream=("reach", "push", "reach"))
    check_sentence(caught.value)
    config = RunConfig(task_stream=("reach", "push", "reach"), allow_repeats=True)
    assert config.task_stream == ("reach", "push", "reach")


def test_named_streams_stand_for_their_tasks(check_sentence: Check) -> None:
    config = RunConfig(task_stream=("cw10", "reach"))
    assert config.task_stream == (*STREAMS["cw10"], "reach") and not config.allow_repeats
    twice = RunConfig(task_stream=("cw20",))
    assert twice.task_stream == STREAMS["cw20"] and twice.allow_repeats
    assert RunConfig(**{name: getattr(twice, name) for name in to_plain(twice)}) == twice
    with pytest.raises(ConfigError, match="'push' more than once") as caught:
        RunConfig(task_stream=("cw10", "push"))
    check_sentence(caught.value)


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_every_strategy_is_allowed(strategy: str) -> None:
    assert RunConfig(strategy=strategy).strategy == strategy


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        RunConfig().eval.episodes = 3  # type: ignore[misc]


def test_to_plain_holds_every_setting_as_json_can() -> None:
    config = RunConfig(output_dir=Path("runs/a"), collect=CollectConfig(cache_dir=Path("c")))
    plain = to_plain(config)
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {item.name for item in fields(RunConfig)}
    assert plain["task_stream"] == ["reach", "push"]
    assert plain["output_dir"] == "runs/a" and plain["collect"]["cache_dir"] == "c"
    assert plain["train"]["learning_rate"] == config.train.learning_rate


def test_defaults_of_training_follow_what_is_trained() -> None:
    trunk, full = RunConfig(strategy="replay"), RunConfig(strategy="replay", adapt="full")
    nothing = PretrainingConfig(demonstrations=0)
    alone = RunConfig(strategy="replay", pretraining=nothing)
    configs = (trunk, alone, full, RunConfig(strategy="ewc"))
    assert [c.keeps_pretraining for c in configs] == [True, False, False, False]
    assert [c.batch_size for c in configs] == [128, 96, 128, 64]
    shares = [c.replayed_fraction + c.pretraining.fraction * c.keeps_pretraining for c in configs]
    new = [c.batch_size * (1 - share) for c, share in zip(configs, shares, strict=True)]
    assert new[:3] == pytest.approx([64, 64, 64])
    asked = PretrainingConfig(demonstrations=2)
    assert RunConfig(strategy="agem", adapt="full", pretraining=asked).keeps_pretraining
    assert not RunConfig(strategy="naive", pretraining=asked).keeps_pretraining
    assert full.replayed_fraction == 0.5
    weights = [(c.outputs_weight, c.demonstrations_weight) for c in (trunk, full)]
    assert weights == [(1.0, 0.5), (0.0, 1.0)]
    rates = {mode: RunConfig(adapt=mode).learning_rate for mode in ("full", "trunk")}
    assert set(rates.values()) == {3e-3}
    assert {RunConfig(adapt=mode).learning_rate for mode in ("head", "lora", "adapter")} == {1e-2}
    assert (trunk.validate_every, trunk.patience) == (500, 1)
    assert (full.validate_every, full.patience) == (250, 2)
    train = TrainConfig(learning_rate=0.1, batch_size=7, validate_every=30, patience=4)
    replay = ReplayConfig(batch_fraction=0.2)
    asked = RunConfig(strategy="replay", adapt="lora", train=train, replay=replay)
    assert (asked.learning_rate, asked.batch_size, asked.replayed_fraction) == (0.1, 7, 0.2)
    assert (asked.validate_every, asked.patience) == (30, 4)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--size", "a", "--seed", "1"], "a"),
        (["--size=a", "--size", "b"], "b"),
        (["--sizes", "a", "--size="], ""),
        (["--size"], None),
        ([], None),
    ],
)
def test_the_value_of_a_flag_is_found_before_the_others_are_parsed(
    words: list[str], value: str | None
) -> None:
    assert value_after("--size", words, None) == value
