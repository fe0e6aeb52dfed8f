"""Domain randomisation: what it changes, what it leaves, and that its seeds decide."""

import dataclasses

import numpy as np
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidResetError, InvalidSettingError
from lam_envs.randomisation.ranges import MODERATE, Randomisation
from lam_envs.sim.making import Engine

ALL = [field.name for field in dataclasses.fields(Randomisation)]
LOOKS = ("colours", "textures", "light", "camera_position_m", "camera_angle_deg")
AMOUNT = {"camera_position_m": 0.05, "camera_angle_deg": 5.0, "table_height_m": 0.03}


def make(num_envs: int = 3, **ranges: float) -> BatchedEnv:
    return BatchedEnv("push", num_envs, num_threads=1, randomisation=Randomisation(**ranges))


def only(name: str) -> dict[str, float]:
    """Return settings that randomise one thing, far."""
    return {name: AMOUNT.get(name, 1.0)}


@pytest.mark.parametrize("name", LOOKS)
def test_looks_change_the_pictures_and_nothing_else(name: str) -> None:
    env, plain = make(**only(name)), BatchedEnv("push", 3, num_threads=1)
    env.reset(seeds=[1, 2, 3])
    plain.reset(seeds=[1, 2, 3])
    images, expected = env.images(), plain.images()
    for camera in env.cameras:
        for world in range(3):
            share = (images[camera][world] != expected[camera][world]).any(-1).float().mean()
            assert float(share) > 0.05, (camera, world)
        assert not torch.equal(images[camera][0], images[camera][1])
    actions = torch.rand(3, 4) * 2 - 1
    for _ in range(10):
        assert torch.equal(env.step(actions).state, plain.step(actions).state)
    assert torch.equal(env.proprioception(), plain.proprioception())


@pytest.mark.parametrize("name", ["friction", "mass"])
def test_friction_and_mass_change_where_a_pushed_puck_ends(name: str) -> None:
    env, plain = make(**only(name)), BatchedEnv("push", 3, num_threads=1)
    vectors = torch.tensor([[0.0, 0.65, 0.02, 0.0, 0.85, 0.02]]).repeat(3, 1)
    env.reset(seeds=[1, 2, 3], reset_vectors=vectors)
    plain.reset(reset_vectors=vectors)
    for _ in range(60):
        actions = plain.expert_actions()
        state, expected = env.step(actions).state, plain.step(actions).state
    pucks = state[:, 4:7]
    assert float((expected[0, 4:7] - expected[1, 4:7]).norm()) == 0.0
    assert float((pucks[0] - pucks[1]).norm()) > 1e-6
    assert float((pucks - expected[:, 4:7]).norm(dim=1).max()) < 0.1


def test_masses_bring_the_constants_that_follow_from_them() -> None:
    env = make(mass=1.0)
    env.reset(seeds=[1, 2, 3])
    body, sim = env.worlds.body_id("obj"), env.sim
    factor = sim.model_field("body_mass")[:, body] / sim.model.body_mass[body]
    assert len(set(factor.tolist())) == 3
    assert bool(((factor >= 0.5) & (factor <= 2.0)).all())
    weight = sim.model_field("body_invweight0")[:, body, 0] / sim.model.body_invweight0[body, 0]
    torch.testing.assert_close(weight, 1.0 / factor)
    hand = env.worlds.body_id("rightclaw")
    assert set(sim.model_field("body_mass")[:, hand].tolist()) == {sim.model.body_mass[hand]}


def test_a_higher_table_is_a_lower_robot() -> None:
    env, plain = make(table_height_m=0.03), BatchedEnv("push", 3, num_threads=1)
    env.reset(seeds=[1, 2, 3])
    plain.reset(seeds=[1, 2, 3])
    foot = env.sim.field("xpos")[:, env.worlds.body_id("base"), 2]
    height = -(foot - plain.sim.field("xpos")[:, env.worlds.body_id("base"), 2])
    assert len(set(height.tolist())) == 3
    assert float(height.abs().max()) <= 0.03
    # The hand is where the task put it over the table; the robot reads its height over its foot.
    torch.testing.assert_close(env.state[:, :3], plain.state[:, :3], rtol=0, atol=5e-3)
    torch.testing.assert_close(
        env.proprioception()[:, 2], (env.state[:, 2] + height).float(), rtol=0, atol=1e-6
    )
    eyes = env._randomiser.shifts.lowered if env._randomiser else None
    np.testing.assert_allclose(eyes, height.numpy(), atol=1e-6)


@pytest.mark.parametrize("engine", ["native", pytest.param("warp", marks=pytest.mark.slow)])
def test_reading_the_hand_over_a_higher_table_changes_nothing(engine: Engine) -> None:
    env = BatchedEnv("push", 2, cameras=(), num_threads=1, engine=engine, randomisation=MODERATE)
    state = env.reset(seeds=[1, 2]).clone()
    first = env.proprioception().clone()
    assert not torch.equal(first[:, 2], state[:, 2].float())
    assert torch.equal(env.proprioception(), first)
    env.proprioception().zero_()
    assert torch.equal(env.state, state)


def test_seeds_decide_and_worlds_do_not_disturb_each_other() -> None:
    one = BatchedEnv("push", 3, num_threads=1, randomisation=MODERATE)
    other = BatchedEnv("push", 2, num_threads=1, randomisation=MODERATE)
    one.reset(seeds=[1, 2, 3])
    other.reset(seeds=[9, 9])
    other.reset(torch.tensor([False, True]), seeds=[3])
    assert torch.equal(one.state[2], other.state[1])
    assert torch.equal(one.proprioception()[2], other.proprioception()[1])
    for camera in one.cameras:
        assert torch.equal(one.images()[camera][2], other.images()[camera][1])


def test_start_states_do_not_depend_on_the_settings() -> None:
    plain, env = BatchedEnv("push", 2, num_threads=1), make(2, colours=1.0, light=1.0)
    assert torch.equal(plain.reset(seeds=[4, 5]), env.reset(seeds=[4, 5]))


def test_off_is_the_same_as_none() -> None:
    plain, off = BatchedEnv("push", 1, num_threads=1), make(1)
    plain.reset(seeds=[0])
    off.reset(seeds=[0])
    assert torch.equal(plain.images()["front"], off.images()["front"])


def test_the_goal_marker_keeps_its_colour() -> None:
    env = BatchedEnv(
        "reach", 16, num_threads=2, randomisation=Randomisation(colours=1.0, textures=1.0)
    )
    env.reset(seeds=range(16))
    red, green, blue = env.images()["front"].to(torch.int16).unbind(-1)
    is_green = (green > 60) & (red * 8 < green) & (blue * 8 < green)
    assert int(is_green.flatten(1).sum(1).min()) >= 2


def test_randomised_worlds_need_seeds() -> None:
    env = make(1, colours=1.0)
    with pytest.raises(InvalidResetError, match="reset got no seeds"):
        env.reset(reset_vectors=torch.tensor([[0.0, 0.65, 0.02, 0.0, 0.85, 0.02]]))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_wrong_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidSettingError, match=rf"randomise\.{name.replace('_', '-')} is"):
        Randomisation(**{name: value})


def test_shares_end_at_one() -> None:
    with pytest.raises(InvalidSettingError, match=r"randomise\.colours is 1\.5"):
        Randomisation(colours=1.5)


@pytest.mark.slow
def test_the_warp_engine_randomises_alike() -> None:
    native, warp = (
        BatchedEnv("push", 2, cameras=(), engine=engine, randomisation=MODERATE)
        for engine in ("native", "warp")
    )
    native.reset(seeds=[1, 2])
    state = warp.reset(seeds=[1, 2])
    for name in ("geom_friction", "body_mass", "body_inertia", "body_subtreemass"):
        torch.testing.assert_close(
            warp.sim.model_field(name).double(), native.sim.model_field(name), rtol=1e-5, atol=1e-6
        )
    for name in ("body_invweight0", "dof_invweight0"):
        torch.testing.assert_close(
            warp.sim.model_field(name).double(), native.sim.model_field(name), rtol=2e-2, atol=1e-2
        )
    torch.testing.assert_close(state.double(), native.state, rtol=0, atol=2e-3)


def test_the_roaming_marker_is_where_the_tracked_goal_says() -> None:
    env = BatchedEnv(
        "button-press", 24, num_threads=2, randomisation=Randomisation(roaming_marker=0.5)
    )
    plain = BatchedEnv("button-press", 24, num_threads=2)
    env.reset(seeds=range(24))
    plain.reset(seeds=range(24))
    is_marked = (env.tracked_positions()[:, 3:] != plain.tracked_positions()[:, 3:]).any(1)
    assert 6 <= int(is_marked.sum()) <= 18

    def changed() -> torch.Tensor:
        """Return which pixels differ by more than rounding, shape (24, height, width)."""
        images, expected = (e.images(["front"])["front"].to(torch.int16) for e in (env, plain))
        return ((images - expected).abs() > 2).any(-1)

    assert not bool(changed()[~is_marked].any())
    first = env.tracked_positions()
    for _ in range(8):
        env.step(torch.zeros(24, 4))
        plain.step(torch.zeros(24, 4))
    moved = (env.tracked_positions() - first)[:, 3:].norm(dim=1) > 0.002
    assert bool(moved[is_marked].all())
    assert torch.equal(env.state, plain.state)
    is_seen = changed()
    assert int(is_seen[is_marked].flatten(1).any(1).sum()) >= int(is_marked.sum()) * 2 // 3
    red, green, blue = env.images(["front"])["front"][is_seen].to(torch.int16).unbind(-1)
    assert float(((green > 2 * red) & (green > 2 * blue)).float().mean()) > 0.7


def test_a_marked_goal_does_not_roam() -> None:
    env = make(2, roaming_marker=1.0)
    plain = BatchedEnv("push", 2, num_threads=1)
    env.reset(seeds=[1, 2])
    plain.reset(seeds=[1, 2])
    assert torch.equal(env.tracked_positions(), plain.tracked_positions())
    for camera in env.cameras:
        assert torch.equal(env.images()[camera], plain.images()[camera])


def test_the_roaming_marker_is_all_over_the_workspace_and_at_the_hand() -> None:
    env = BatchedEnv(
        "lever-pull", 64, cameras=(), num_threads=2, randomisation=Randomisation(roaming_marker=1.0)
    )
    env.reset(seeds=range(64))
    places = []
    for _ in range(20):
        env.step(torch.zeros(64, 4))
        places.append(env.tracked_positions()[:, 3:])
    everywhere = torch.stack(places)
    assert float(everywhere[..., 2].min()) >= 0.02 - 1e-6
    low, high = everywhere.flatten(0, 1).amin(0), everywhere.flatten(0, 1).amax(0)
    assert bool((high - low > torch.tensor([0.6, 0.5, 0.28])).all())
    hand = env.state[:, :3].float()
    is_near = ((everywhere - hand).norm(dim=2) < 0.24).all(0)
    assert int(is_near.sum()) >= 12
    on_table = (everywhere[..., 2] < 0.021).all(0)
    assert int(on_table.sum()) >= 12
