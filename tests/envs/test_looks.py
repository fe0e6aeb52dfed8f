"""Looks: what is taken out for speed is in no picture, and the model stays as it is."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from lam_envs import looks
from lam_envs.batched import BatchedEnv
from lam_envs.camera import CameraRenderer
from lam_envs.looks import VISIBLE_GROUPS, render_model
from lam_envs.scene import CAMERAS, load_model
from lam_envs.tasks.registry import make_task, task_names

NUM_STEPS = 75
"""Control steps after which a hand that is pushed into a corner of its space has reached it."""


@pytest.fixture
def no_cached_looks() -> Iterator[None]:
    """Keep a changed look out of the other tests."""
    render_model.cache_clear()
    yield
    render_model.cache_clear()


@pytest.mark.parametrize("task", task_names())
@pytest.mark.usefixtures("no_cached_looks")
def test_hidden_parts_are_in_no_picture(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = BatchedEnv(task, 10, num_threads=2)
    env.reset(seeds=range(10))
    corners = torch.cartesian_prod(*[torch.tensor((-1.0, 1.0))] * 3)  # (8, 3)
    for step in range(NUM_STEPS):
        actions = env.expert_actions()
        actions[:8, :3] = corners
        env.step(actions)
        if step % 25 != 24:
            continue
        images = env.images()
        with monkeypatch.context() as patch:
            patch.setattr(looks, "_hide_unseen", lambda look: None)
            render_model.cache_clear()
            renderer = CameraRenderer(
                env.model, env.num_envs, cameras=CAMERAS, image_size=env.image_size, num_threads=2
            )
            goal = env.worlds.start.target_pos if env.task.shows_goal else None
            expected = renderer.render(env.sim, goal)
        for name in CAMERAS:
            assert torch.equal(images[name], expected[name]), f"{name} after {step + 1} steps"


def test_transparent_parts_and_the_tables_legs_are_hidden() -> None:
    model = load_model(make_task("push").model_file)
    look = render_model(model)
    was_drawn = np.isin(model.geom_group, VISIBLE_GROUPS)
    is_drawn = np.isin(look.geom_group, VISIBLE_GROUPS)
    bodies = {look.body(int(look.geom_bodyid[geom])).name for geom in np.flatnonzero(is_drawn)}
    assert {"tablelink", "hand", "obj", "right_hand", "world"} <= bodies
    assert "mocap" not in bodies
    assert int((was_drawn & ~is_drawn).sum()) >= 5
    assert not (is_drawn & ~was_drawn).any()


def test_a_look_is_made_once_and_leaves_the_model_alone() -> None:
    model = load_model(make_task("push").model_file)
    groups, margins = model.geom_group.copy(), model.geom_margin.copy()
    assert render_model(model) is render_model(model)
    assert np.array_equal(model.geom_group, groups)
    assert np.array_equal(model.geom_margin, margins)
