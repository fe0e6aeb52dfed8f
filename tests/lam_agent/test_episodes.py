"""EpisodeSet: checks, action chunks at episode ends, files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lam_agent.episodes import EpisodeSet
from lam_agent.errors import EpisodeError

Check = Callable[[object], str]

FRAMES, STEPS = 5, 8


@pytest.fixture
def episodes() -> EpisodeSet:
    """Two episodes of 5 and 3 steps, with a look at every second step; action s is (s, 0, 0, 0)."""
    generator = torch.Generator().manual_seed(1)
    actions = torch.zeros(STEPS, 4)
    actions[:, 0] = torch.arange(STEPS) / 10
    return EpisodeSet(
        task="push",
        images={
            camera: torch.randint(256, (FRAMES, 6, 6, 3), generator=generator, dtype=torch.uint8)
            for camera in ("front", "wrist")
        },
        proprioception=torch.rand(FRAMES, 4, generator=generator),
        tracked=torch.rand(FRAMES, 6, generator=generator),
        look_step=torch.tensor([0, 2, 4, 5, 7]),
        actions=actions,
        episode_start=torch.tensor([0, 5, 8]),
        is_success=torch.tensor([True, False]),
        look_every=2,
        control_dt=0.0125,
    )


def test_sizes(episodes: EpisodeSet) -> None:
    assert (episodes.num_episodes, episodes.num_frames) == (2, FRAMES)
    # Images, proprioception, tracked, look_step, actions, episode_start, is_success.
    counted = 2 * FRAMES * 6 * 6 * 3 + FRAMES * 16 + FRAMES * 24 + FRAMES * 8 + STEPS * 16 + 24 + 2
    assert episodes.num_bytes == counted


# Action chunks ---------------------------------------------------------------------------------


def test_chunks_repeat_the_last_action_behind_the_end_of_an_episode(episodes: EpisodeSet) -> None:
    actions, is_inside = episodes.action_chunks(3)
    expected = [[0, 1, 2], [2, 3, 4], [4, 4, 4], [5, 6, 7], [7, 7, 7]]
    assert torch.equal(actions[:, :, 0], torch.tensor(expected) / 10)
    assert is_inside.tolist() == [
        [True, True, True],
        [True, True, True],
        [True, False, False],
        [True, True, True],
        [True, False, False],
    ]


def test_chunks_of_one_are_the_actions_at_the_looks(episodes: EpisodeSet) -> None:
    actions, is_inside = episodes.action_chunks(1)
    assert torch.equal(actions[:, 0], episodes.actions[episodes.look_step])
    assert bool(is_inside.all())


def test_chunks_longer_than_an_episode_stay_in_it(episodes: EpisodeSet) -> None:
    actions, is_inside = episodes.action_chunks(20)
    assert actions.shape == (FRAMES, 20, 4)
    assert is_inside.sum(1).tolist() == [5, 3, 1, 3, 1]
    assert torch.equal(actions[0, 5:], episodes.actions[4].expand(15, 4))


# Checks ----------------------------------------------------------------------------------------


def with_value(tensor: torch.Tensor, value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(-1)[1] = value
    return changed


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("proprioception", lambda t: t[:-1], r"has shape \(4, 4\).*must have shape \(5, 4\)"),
        ("proprioception", lambda t: t.double(), r"torch\.float64.*torch\.float32"),
        ("proprioception", lambda t: with_value(t, torch.nan), "NaN or infinity"),
        ("tracked", lambda t: t[:, :3], r"has shape \(5, 3\)"),
        ("tracked", lambda t: with_value(t, torch.inf), "NaN or infinity"),
        ("actions", lambda t: t[:, :3], r"has shape \(8, 3\)"),
        ("actions", lambda t: with_value(t, -torch.inf), "NaN or infinity"),
        ("look_step", lambda t: t.int(), r"torch\.int32.*torch\.int64"),
        ("look_step", lambda t: t + 1, r"must lie in \[0, 8\)"),
        ("look_step", lambda t: t - 1, r"must lie in \[0, 8\)"),
        ("look_step", lambda t: t[:0], "are empty"),
        ("episode_start", lambda t: t + 1, "must rise from 0 to 8"),
        ("episode_start", lambda t: t[[0, 2, 1]], "must rise from 0 to 8"),
        ("episode_start", lambda t: t * torch.tensor([1, 0, 1]), "must rise from 0 to 8"),
        ("episode_start", lambda t: t[:2], r"has shape \(2,\)"),
        ("is_success", lambda t: t.float(), r"torch\.float32.*torch\.bool"),
        ("is_success", lambda t: t[:0], "are empty"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_by_name(
    episodes: EpisodeSet, name: str, change: Any, part: str, check_sentence: Check
) -> None:
    with pytest.raises(EpisodeError, match=part) as caught:
        replace(episodes, **{name: change(getattr(episodes, name))})
    assert "'push'" in check_sentence(caught.value)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t.float(), lambda t: t[..., :1]])
def test_images_that_do_not_fit_are_refused_by_camera(
    episodes: EpisodeSet, change: Any, check_sentence: Check
) -> None:
    images = {**episodes.images, "wrist": change(episodes.images["wrist"])}
    with pytest.raises(EpisodeError, match="images of wrist") as caught:
        replace(episodes, images=images)
    check_sentence(caught.value)


# Files -----------------------------------------------------------------------------------------


def test_a_file_gives_the_same_episodes_back(episodes: EpisodeSet, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "push.safetensors"
    episodes.save(path, {"note": "more"})
    loaded = EpisodeSet.load(path)
    for name in ("task", "look_every", "control_dt"):
        assert getattr(loaded, name) == getattr(episodes, name)
    assert list(loaded.images) == ["front", "wrist"]
    for camera, images in episodes.images.items():
        assert torch.equal(loaded.images[camera], images)
    for name in ("proprioception", "tracked", "look_step", "actions", "episode_start"):
        assert torch.equal(getattr(loaded, name), getattr(episodes, name))
    assert torch.equal(loaded.is_success, episodes.is_success)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_tensors_that_are_not_contiguous_are_saved(episodes: EpisodeSet, tmp_path: Path) -> None:
    turned = replace(episodes, images={k: v.transpose(1, 2) for k, v in episodes.images.items()})
    turned.save(tmp_path / "push.safetensors")
    loaded = EpisodeSet.load(tmp_path / "push.safetensors")
    assert torch.equal(loaded.images["front"], episodes.images["front"].transpose(1, 2))


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_refused(
    episodes: EpisodeSet, tmp_path: Path, kept: int, check_sentence: Check
) -> None:
    path = tmp_path / "push.safetensors"
    episodes.save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EpisodeError, match=r"push\.safetensors cannot be read") as caught:
        EpisodeSet.load(path)
    check_sentence(caught.value)


def test_what_is_no_file_of_episodes_is_refused(
    tmp_path: Path, saved_checkpoint: Path, check_sentence: Check
) -> None:
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"\x07" * 500)
    weights = saved_checkpoint / "model.safetensors"
    for path in (garbage, tmp_path / "missing.safetensors", tmp_path, weights):
        with pytest.raises(EpisodeError) as caught:
            EpisodeSet.load(path)
        assert str(path) in check_sentence(caught.value)


@pytest.mark.parametrize(
    ("header", "part"),
    [({"format_version": 2}, "format 2; this version reads 1"), ({"cameras": ["top"]}, "images")],
)
def test_a_file_of_another_format_is_refused(
    episodes: EpisodeSet, tmp_path: Path, header: dict[str, Any], part: str, check_sentence: Check
) -> None:
    path = tmp_path / "push.safetensors"
    episodes.save(path, header)
    with pytest.raises(EpisodeError, match=part) as caught:
        EpisodeSet.load(path)
    check_sentence(caught.value)


def test_a_write_that_fails_leaves_the_old_file(episodes: EpisodeSet, tmp_path: Path) -> None:
    path = tmp_path / "push.safetensors"
    episodes.save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        episodes.save(path, {"note": {1, 2}})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
