"""Looks: what is taken out for speed is in no picture, and the model stays as it is."""

from collections.abc import Iterator

import mujoco
import numpy as np
import pytest
import torch

from lam_envs import looks
from lam_envs.batched import BatchedEnv
from lam_envs.camera import CameraRenderer
from lam_envs.errors import SceneError
from lam_envs.looks import VISIBLE_GROUPS, drawn_geoms, standard_appearance
from lam_envs.scene import CAMERAS, load_model
from lam_envs.tasks.registry import make_task

NUM_STEPS = 75
"""Control steps after which a hand that is pushed into a corner of its space has reached it."""

SOME = ("reach", "hammer", "drawer-open", "handle-press-side", "stick-push")
"""Tasks for what depends on no task: a free goal, two objects, a joint, a draw that settles,
sensors."""

CLOTH = """
<mujoco>
  <worldbody>
    <flexcomp name="cloth" type="grid" dim="2" count="3 3 1" spacing="0.1 0.1 0.1">
      <edge equality="true"/>
    </flexcomp>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def no_cached_geoms() -> Iterator[None]:
    """Keep a changed choice of geoms out of the other tests."""
    drawn_geoms.cache_clear()
    yield
    drawn_geoms.cache_clear()


@pytest.mark.parametrize("task", SOME)
@pytest.mark.usefixtures("no_cached_geoms")
def test_parts_under_the_table_are_in_no_picture(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = BatchedEnv(task, 9, num_threads=2)
    env.reset(seeds=range(9))
    env.images()
    monkeypatch.setattr(looks, "_is_under_table", lambda model, geom: False)
    drawn_geoms.cache_clear()
    with_all = CameraRenderer(
        env.model, env.num_envs, cameras=CAMERAS, image_size=env.image_size, num_threads=2
    )
    with_all.dress(standard_appearance(env.model, env.num_envs).tensors())
    goal = env.worlds.start.target_pos if env.task.shows_goal else None
    corners = torch.cartesian_prod(*[torch.tensor((-1.0, 1.0))] * 3)  # (8, 3)
    for step in range(NUM_STEPS):
        actions = env.expert_actions()
        actions[:8, :3] = corners
        env.step(actions)
        if step % 25 != 24:
            continue
        images, expected = env.images(), with_all.render(env.sim, goal)
        for name in CAMERAS:
            assert torch.equal(images[name], expected[name]), f"{name} after {step + 1} steps"


def test_transparent_parts_and_the_tables_legs_are_not_drawn() -> None:
    model = load_model(make_task("push").model_file)
    in_visible_group = set(np.flatnonzero(np.isin(model.geom_group, VISIBLE_GROUPS)).tolist())
    drawn = drawn_geoms(model).geom.numpy().tolist()
    bodies = {model.body(int(model.geom_bodyid[geom])).name for geom in drawn}
    assert {"tablelink", "hand", "obj", "right_hand", "world"} <= bodies
    assert "mocap" not in bodies
    assert len(in_visible_group - set(drawn)) >= 5
    assert set(drawn) <= in_visible_group


def test_flexible_bodies_are_refused() -> None:
    spec = mujoco.MjSpec.from_string(CLOTH)
    with pytest.raises(SceneError, match="cannot draw the 1 flexible bodies"):
        drawn_geoms(spec.compile())


def test_looks_leave_the_model_alone() -> None:
    model = load_model(make_task("push").model_file)
    colours = model.mat_rgba.copy()
    assert drawn_geoms(model) is drawn_geoms(model)
    looks = standard_appearance(model, 3)
    assert looks.colour.shape == (3, len(drawn_geoms(model).geom), 3)
    assert np.array_equal(model.mat_rgba, colours)


def test_no_light_clips_a_white_surface() -> None:
    looks = standard_appearance(load_model(make_task("push").model_file), 1)
    assert float((looks.ambient + looks.headlight + looks.sun).max()) < 1.0
    assert float(np.linalg.norm(looks.to_sun)) == pytest.approx(1.0, abs=1e-3)
