"""Cameras: what the pictures show, and that nothing but the world changes them."""

import numpy as np
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidSettingError
from lam_envs.scene import CAMERAS
from lam_envs.tasks.registry import make_task, task_names

BESIDE_THE_TABLE = torch.tensor((0.0, 0.6, -5.0), dtype=torch.float64)

Images = dict[str, torch.Tensor]


SOME = ("reach", "hammer", "drawer-open", "handle-press-side", "stick-push")
"""Tasks for what depends on no task: a free goal, two objects, a joint, a draw that settles,
sensors."""


@pytest.fixture(scope="module", params=task_names())
def task(request: pytest.FixtureRequest) -> str:
    """Name of a task; all tests of one task run in a row, so that its scene is loaded once."""
    return str(request.param)


def start(task: str, seeds: list[int], num_threads: int = 2, image_size: int = 64) -> BatchedEnv:
    """Make worlds, reset them, and let the experts act for a few steps."""
    env = BatchedEnv(task, len(seeds), num_threads=num_threads, image_size=image_size)
    env.reset(seeds=seeds)
    for _ in range(5):
        env.step(env.expert_actions())
    return env


def shows_marker(images: torch.Tensor) -> torch.Tensor:
    """Say which pixels are of the marker's pure green or its foot's, (N, height, width), bool."""
    red, green, blue = images.to(torch.int16).unbind(-1)
    return (green > 20) & (green > 5 * torch.maximum(red, blue))


def is_bright(images: torch.Tensor) -> torch.Tensor:
    """Say which pixels are brighter than the foot of the marker ever is, (N, height, width)."""
    return images[..., 1] > 80


def assert_same(images: Images, expected: Images) -> None:
    assert images.keys() == expected.keys()
    for name, image in images.items():
        assert torch.equal(image, expected[name]), name


def test_images_have_the_shape_of_the_settings() -> None:
    env = start("push", [0, 1, 2], image_size=32)
    images = env.images()
    assert tuple(images) == CAMERAS
    for image in images.values():
        assert image.shape == (3, 32, 32, 3)
        assert image.dtype == torch.uint8
    assert env.images(("wrist",), 16)["wrist"].shape == (3, 16, 16, 3)
    assert env.images(()) == {}
    with pytest.raises(InvalidSettingError, match="no camera 'top'"):
        env.images(("top",))


@pytest.mark.parametrize("some_task", SOME)
def test_pictures_do_not_depend_on_threads_or_neighbours(some_task: str) -> None:
    seeds = [3, 4, 5]
    one, two = (start(some_task, seeds, num_threads).images() for num_threads in (1, 2))
    assert_same(one, two)
    alone = start(some_task, seeds[2:]).images()
    assert_same({name: image[2:] for name, image in two.items()}, alone)


def test_rendering_twice_gives_the_same_and_changes_nothing() -> None:
    env = start("push", [0, 1])
    first, qpos = env.images(), env.sim.field("qpos").clone()
    kept = {name: image.clone() for name, image in first.items()}
    assert_same(env.images(), kept)
    assert torch.equal(env.sim.field("qpos"), qpos)
    env.step(torch.ones(2, 4))
    env.images()
    assert_same(first, kept)  # Earlier pictures are not overwritten.


def test_pictures_are_neither_black_nor_saturated(task: str) -> None:
    for name, images in start(task, list(range(8))).images().items():
        pixels = images.flatten(1, 2).to(torch.float32)  # (N, height * width, 3)
        brightness = pixels.mean((1, 2))
        assert float(brightness.min()) > 40, f"{name} is dark"
        assert float(brightness.max()) < 215, f"{name} is bright"
        assert float(pixels.std((1, 2)).min()) > 15, f"{name} is flat"
        is_clipped = (pixels >= 255).all(2).to(torch.float32).mean(1)
        assert float(is_clipped.max()) < 0.01, f"{name} is saturated"
        is_black = (pixels <= 2).all(2).to(torch.float32).mean(1)
        assert float(is_black.max()) < 0.1, f"{name} is black"


def test_the_goal_marker_is_seen_where_a_task_shows_it(task: str) -> None:
    env = start(task, list(range(16)))
    before = env.images()["front"]
    env.worlds.start.target_pos[:] = BESIDE_THE_TABLE
    is_changed = (env.images()["front"] != before).any(-1)
    count = (is_changed & is_bright(before)).flatten(1).sum(1)
    if make_task(task).shows_goal:
        # The arm hides it now and then; that of push-wall looks over the wall.
        assert int((count >= 3).sum()) >= 15, count
        assert bool(shows_marker(before)[is_changed].all())
    else:
        assert not bool(is_changed.any())


def test_the_goal_marker_is_at_the_goal() -> None:
    vectors = torch.tensor([[0, 0.6, 0.02, -0.1, 0.85, 0.1], [0, 0.6, 0.02, 0.1, 0.85, 0.1]])
    env = BatchedEnv("reach", 2)
    env.reset(reset_vectors=vectors)
    masks = shows_marker(env.images()["front"])
    columns = [float(mask.nonzero()[:, 1].float().mean()) for mask in masks]
    assert abs(columns[0] - columns[1]) > 6


def test_the_foot_of_the_marker_tells_its_depth() -> None:
    env = start("reach", [0, 0, 0])
    camera = env.model.cam_pos[env.model.camera("front").id]
    goal = np.array((0.05, 0.85, 0.2))
    sight = (goal - camera) / np.linalg.norm(goal - camera)
    places = torch.from_numpy(np.stack([goal + shift * sight for shift in (-0.08, 0.0, 0.08)]))
    env.worlds.start.target_pos[:] = places
    image = env.images()["front"]
    seen, is_sphere = shows_marker(image), is_bright(image)
    (near, usual, far), feet = (
        [mask.nonzero().float().mean(0) for mask in masks]
        for masks in (seen & is_sphere, seen & ~is_sphere)
    )
    assert float((near - far).norm()) < 1.0
    assert float((near - usual).norm()) < 1.0
    assert float((feet[0] - feet[1]).norm()) > 2.0
    assert float((feet[2] - feet[1]).norm()) > 2.0


@pytest.mark.parametrize("some_task", SOME)
def test_a_moved_object_changes_its_own_pictures_only(some_task: str) -> None:
    env = start(some_task, [0, 1])
    before = env.images()
    env.sim.field("qpos")[1, 9] -= 0.05  # The first joint after those of arm and fingers.
    env.sim.forward()
    after = env.images()
    for name in CAMERAS:
        assert torch.equal(before[name][0], after[name][0]), name
    num_changed = (before["front"][1] != after["front"][1]).any(-1).sum()
    assert int(num_changed) >= 10


def test_the_wrist_camera_rides_on_the_hand() -> None:
    env = start("reach", [0])
    before = env.images()["wrist"]
    for _ in range(10):
        env.step(torch.tensor([[0.0, 0.0, -1.0, 0.0]]))
    assert int((before != env.images()["wrist"]).any(-1).sum()) > 200
