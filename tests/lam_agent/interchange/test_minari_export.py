"""Export to Minari: bit for bit there and back, and what a Minari user finds in a dataset."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import minari
import numpy as np
import pytest
import torch

from lam_agent.__main__ import main
from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError, MissingExtraError
from lam_agent.interchange import export_minari, import_minari

MakeEpisodes = Callable[..., EpisodeSet]
AssertSame = Callable[[EpisodeSet, EpisodeSet], None]
Check = Callable[[object], str]


@pytest.mark.parametrize("look_every", [1, 2, 3, 7])
@pytest.mark.parametrize("has_tracked", [True, False])
def test_there_and_back_is_bit_for_bit_equal(
    make_episodes: MakeEpisodes,
    assert_same_episodes: AssertSame,
    look_every: int,
    has_tracked: bool,
) -> None:
    episodes = make_episodes("push", lengths=(5, 3, 8, 1), look_every=look_every)
    if not has_tracked:
        tracked = torch.zeros_like(episodes.tracked)
        episodes = replace(episodes, tracked=tracked, has_tracked=False)
    export_minari(episodes, "lam/push-v0")
    assert_same_episodes(import_minari("lam/push-v0", "push"), episodes)


def test_a_task_with_a_rate_of_its_own_comes_back(
    slow_task: str, make_episodes: MakeEpisodes, assert_same_episodes: AssertSame
) -> None:
    for look_every in (1, 3):
        name = f"lam/slow-v{look_every}"
        episodes = make_episodes(slow_task, look_every=look_every, control_dt=0.025)
        export_minari(episodes, name)
        assert_same_episodes(import_minari(name, slow_task), episodes)
    with pytest.raises(EpisodeError, match=r"lasts 0\.0125 s; it must last 0\.025 s"):
        import_minari("lam/slow-v1", slow_task, control_dt=0.0125)


def test_a_dataset_of_single_actions_is_one_of_the_environment(make_episodes: MakeEpisodes) -> None:
    episodes = make_episodes("drawer-open", lengths=(4, 6), look_every=1)
    export_minari(episodes, "lam/drawer-open-v0")
    dataset = minari.load_dataset("lam/drawer-open-v0")
    assert (dataset.total_episodes, dataset.total_steps) == (2, 10)
    environment = dataset.recover_environment()
    assert environment.spec.id == "lam/DrawerOpen-v0"
    assert environment.observation_space["front"] == dataset.observation_space["front"]
    assert environment.action_space == dataset.action_space
    environment.close()
    first = dataset[0]
    assert first.actions.tolist() == episodes.actions[:4].tolist()
    for key in ("front", "wrist", "proprioception"):
        assert len(first.observations[key]) == 5
        # The final observation repeats the last look.
        assert np.array_equal(first.observations[key][4], first.observations[key][3])
    step = {key: values[2] for key, values in first.observations.items()}
    assert np.array_equal(step["wrist"], episodes.images["wrist"][2].numpy())
    assert first.rewards.tolist() == [0, 0, 0, 1] and dataset[1].rewards.sum() == 0
    assert first.infos["is_success"].tolist() == [False] * 4 + [True]
    assert not first.terminations.any() and first.truncations.tolist() == [False] * 3 + [True]


def test_with_looks_every_second_step_an_action_is_a_chunk(make_episodes: MakeEpisodes) -> None:
    episodes = make_episodes("push", lengths=(5, 4), look_every=2)
    export_minari(episodes, "push-v3")
    dataset = minari.load_dataset("push-v3")
    assert dataset.env_spec is None
    assert dataset.action_space.shape == (2, 4)
    assert dataset.total_steps == 3 + 2
    first, second = dataset
    expected = episodes.actions[[0, 1, 2, 3, 4, 4]].reshape(3, 2, 4)
    assert np.array_equal(first.actions, expected.numpy())
    assert first.infos["num_actions"].tolist() == [2, 2, 1, 0]
    assert second.infos["num_actions"].tolist() == [2, 2, 0]
    for episode in (first, second):
        for place in range(len(episode)):
            observation = {key: values[place] for key, values in episode.observations.items()}
            assert dataset.observation_space.contains(observation)
            assert dataset.action_space.contains(episode.actions[place])
    said = dataset.storage.metadata["lam_agent"]
    assert (said["task"], said["control_dt"], said["look_every"]) == ("push", 0.0125, 2)


@pytest.mark.parametrize("name", ["push", "push-v", "a b-v0", "./push-v0", "/push-v0", ""])
def test_a_wrong_name_is_refused(
    name: str, make_episodes: MakeEpisodes, minari_home: Path, check_sentence: Check
) -> None:
    with pytest.raises(EpisodeError, match="namespace/name-v0") as caught:
        export_minari(make_episodes("push"), name)
    check_sentence(caught.value)
    assert not list(minari_home.rglob("*.hdf5"))


def test_a_dataset_that_is_there_stays(
    make_episodes: MakeEpisodes, assert_same_episodes: AssertSame, check_sentence: Check
) -> None:
    export_minari(make_episodes("push"), "push-v0")
    with pytest.raises(EpisodeError, match="minari delete push-v0") as caught:
        export_minari(make_episodes("push", seed=1), "push-v0")
    check_sentence(caught.value)
    assert_same_episodes(import_minari("push-v0", "push"), make_episodes("push"))


def test_without_minari_the_extra_is_named(
    make_episodes: MakeEpisodes, monkeypatch: pytest.MonkeyPatch, check_sentence: Check
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for use in (
        lambda: export_minari(make_episodes("push"), "push-v0"),
        lambda: import_minari("push-v0", "push"),
    ):
        with pytest.raises(MissingExtraError, match=r'pip install "lam-agent\[minari\]"') as caught:
            use()
        check_sentence(caught.value)


# Commands ---------------------------------------------------------------------------------------


def test_a_folder_is_exported_and_imported_by_commands(
    own_folder: Path,
    assert_imported: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export-minari", str(own_folder)]) == 0
    printed = capsys.readouterr().out
    assert "Exported 3 demonstrations of push as lam/push-v0: 9 steps of 2 actions; " in printed
    assert_imported("import-minari", "lam/{task}-v0")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["no/such"], "no/such holds no demonstrations"),
        (["own", "--tasks", "puhs"], "has no puhs.safetensors (did you mean 'push.safetensors'?)"),
        (["own", "--dataset-id", "mine-v0"], "it must contain {task}, or name one task"),
        (["own", "--dataset-id", "{task}"], "'push' is no name of a Minari dataset"),
    ],
)
def test_export_refuses(
    arguments: list[str],
    part: str,
    make_episodes: MakeEpisodes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    check_sentence: Check,
) -> None:
    monkeypatch.chdir(tmp_path)
    for task in ("reach", "push"):
        make_episodes(task).save(Path("own") / f"{task}.safetensors")
    assert main(["export-minari", *arguments]) == 2
    words = capsys.readouterr().err.removeprefix("lam-agent: error: ").removesuffix("\n")
    assert part in check_sentence(words)
    assert not list(tmp_path.rglob("*.hdf5"))
