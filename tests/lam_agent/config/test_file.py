"""Configuration files: round trip, unknown keys, wrong types."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lam_agent.config import (
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
    SimConfig,
    StreamConfig,
    TrainConfig,
)
from lam_agent.config.file import read_config
from lam_agent.errors import ConfigError
from lam_agent.running.folder import dump_config
from lam_envs.randomisation.ranges import Randomisation

CHANGED = RunConfig(
    task_stream=("push", "drawer-open", "push"),
    strategy="ewc",
    adapt="adapter",
    adaptation=AdaptationConfig(rank=3, bottleneck=5),
    seed=2**40,
    demonstrations=7,
    demonstrations_path=Path("my demonstrations"),
    logger=("wandb", "tensorboard"),
    imports=("json", "lam_envs.tasks"),
    device="cpu",
    workers=3,
    threads=3,
    video=2,
    allow_repeats=True,
    references=True,
    sim=SimConfig("drop"),
    randomise=Randomisation(colours=0.5, table_height_m=0.01),
    stream=StreamConfig(order_seed=5),
    eval=EvalConfig(episodes=4, horizon=90, validation_episodes=5, full_matrix=True),
    collect=CollectConfig(noise_std=0.125, batch=5, cache_dir=Path("some where/é")),
    policy=PolicyConfig(init="runs/a: b #c", image_size=48, execute_length=3, width=96),
    train=TrainConfig(max_steps=10, learning_rate=1e-5, clip_norm=1e16),
    augment=AugmentConfig(copies=3, colours=0.25, turn_deg=1.5),
    pretraining=PretrainingConfig(("sweep", "soccer"), ("soccer",), 3, 0.125),
    memory=MemoryConfig(frames=7, episodes=2),
    replay=ReplayConfig(memory_mb=0.5, batch_fraction=0.25),
    ewc=EwcConfig(strength=1e-7, fisher_samples=3),
    mas=MasConfig(strength=0.25, samples=3),
    l2=L2Config(strength=7.5),
    packnet=PackNetConfig(share=0.2, dense_fraction=0.5),
)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], RunConfig]:
    """Read a configuration from text."""

    def read_text(text: str) -> RunConfig:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return read_config(path)

    return read_text


@pytest.fixture
def refused(
    read: Callable[[str], RunConfig], check_sentence: Callable[[object], str]
) -> Callable[[str], str]:
    """Return the sentence in which a text is refused."""

    def words_of(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            read(text)
        return check_sentence(caught.value)

    return words_of


# Round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [RunConfig(), CHANGED], ids=["defaults", "changed"])
def test_what_a_run_writes_reads_back_equal(
    config: RunConfig, read: Callable[[str], RunConfig]
) -> None:
    assert read(dump_config(config)) == config


def test_the_changed_configuration_differs_from_the_defaults_everywhere() -> None:
    for item in fields(RunConfig):
        if item.name != "output_dir":
            assert getattr(CHANGED, item.name) != getattr(RunConfig(), item.name), item.name


def test_the_output_folder_is_left_out_so_that_a_repeat_gets_its_own(
    read: Callable[[str], RunConfig],
) -> None:
    config = RunConfig(output_dir=Path("runs/first"))
    assert read(dump_config(config)) == replace(config, output_dir=None)


@settings(max_examples=25, deadline=None)
@given(
    rate=st.floats(1e-300, 1e300),
    strength=st.floats(0, 1e300),
    seed=st.integers(0, 2**63),
    init=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_number_and_text_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, rate: float, strength: float, seed: int, init: str
) -> None:
    config = RunConfig(
        seed=seed,
        policy=PolicyConfig(init=init),
        train=TrainConfig(learning_rate=rate),
        ewc=EwcConfig(strength=strength),
    )
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert read_config(path) == config


@pytest.mark.parametrize("text", ["", "# Nothing.\n", "{}"])
def test_what_is_not_named_keeps_its_default(text: str, read: Callable[[str], RunConfig]) -> None:
    assert read(text) == RunConfig()
    assert read("eval: {episodes: 9}") == RunConfig(eval=EvalConfig(episodes=9))


def test_a_list_may_be_separated_by_commas_as_on_the_command_line(
    read: Callable[[str], RunConfig],
) -> None:
    assert read("task_stream: push, reach\nlogger: tensorboard") == RunConfig(
        task_stream=("push", "reach"), logger=("tensorboard",)
    )


# Bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("demonstratoins: 3", "demonstratoins", "'demonstrations'"),
        ("eval: {episode: 3}", "eval.episode", "'episodes'"),
        ("train: {max-steps: 3}", "train.max-steps", "'max_steps'"),
        ("policy: {image_sizes: 64}", "policy.image_sizes", "'image_size'"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(
    text: str, key: str, near: str, refused: Callable[[str], str]
) -> None:
    words = refused(text)
    assert f"there is no setting {key} (did you mean {near}?)" in words
    assert "config.yaml: " in words


def test_an_unknown_key_that_is_near_to_none_lists_all(refused: Callable[[str], str]) -> None:
    words = refused("ewc: {xyzzy: 1}")
    assert "did you mean" not in words
    assert words.endswith("the settings there are strength, fisher_samples.")
    assert "no setting 3;" in refused("3: 4")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("seed: many", ("seed is 'many'", "integer")),
        ("eval: {episodes: lots}", ("eval.episodes is 'lots'", "integer")),
        ("eval: {episodes: 2.5}", ("eval.episodes is 2.5", "integer")),
        ("train: {learning_rate: fast}", ("train.learning_rate is 'fast'", "number")),
        ("task_stream: 3", ("task_stream is 3", "tuple")),
        ("task_stream: [1]", ("task_stream.0 is 1", "string")),
        ("strategy: [ewc]", ("strategy is ['ewc']", "string")),
        ("device: gpu", ("device is 'gpu'", "auto, cpu, cuda or cuda:NUMBER")),
        ("allow_repeats: perhaps", ("allow_repeats is 'perhaps'", "boolean")),
        ("collect: {cache_dir: 3}", ("collect.cache_dir is 3", "path")),
    ],
)
def test_a_wrong_type_is_told_with_key_and_value(
    text: str, parts: tuple[str, str], refused: Callable[[str], str]
) -> None:
    words = refused(text)
    for part in parts:
        assert part in words


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("eval: {episodes: 0}", "eval.episodes is 0; it must be at least 1."),
        ("train: {learning_rate: .nan}", "train.learning-rate is nan"),
        ("task_stream: []", "task-stream is ''"),
        ("task_stream: [reach, puhs]", "(did you mean 'push'?)"),
        ("strategy: replya", "(did you mean 'replay'?)"),
        ("task_stream: [reach, reach]", "--allow-repeats"),
    ],
)
def test_a_value_out_of_range_is_refused_as_on_the_command_line(
    text: str, part: str, refused: Callable[[str], str]
) -> None:
    assert part in refused(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [("[1, 2]", "the file is [1, 2]"), ("eval: 3", "eval is 3"), ("eval:", "eval is None")],
)
def test_a_section_must_hold_names_and_values(
    text: str, where: str, refused: Callable[[str], str]
) -> None:
    assert f"{where}; it must hold names and values." in refused(text)


@pytest.mark.parametrize(
    "text", ["a: b: c", "seed: [1", "\tseed: 1", "!!python/object/apply:os.getcwd []", "a: \x00"]
)
def test_what_is_no_yaml_is_refused_in_one_line(text: str, refused: Callable[[str], str]) -> None:
    assert "is no YAML" in refused(text)


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, check_sentence: Callable[[object], str]
) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00seed")
    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with pytest.raises(ConfigError) as caught:
            read_config(path)
        assert str(path) in check_sentence(caught.value)
