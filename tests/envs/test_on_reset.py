"""on_reset: callers change worlds that start an episode, in batch and on the device."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import InvalidSettingError
from lam_envs.randomisation.ranges import Randomisation
from lam_envs.sim.making import Engine
from lam_envs.tensors import write

ENGINES = ("native", pytest.param("warp", marks=pytest.mark.slow))
ONE = torch.tensor([False, True, False])


def make(engine: Engine = "native", **settings: object) -> BatchedEnv:
    return BatchedEnv("push", 3, engine=engine, num_threads=1, image_size=32, **settings)  # type: ignore[arg-type]


def turn_red(env: BatchedEnv, mask: torch.Tensor) -> None:
    """Paint all that is drawn red."""
    write(env.looks["colour"], mask, torch.tensor([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("engine", ENGINES)
def test_looks_are_changed_in_the_worlds_that_reset(engine: Engine) -> None:
    env = make(engine)
    env.reset(seeds=[1, 2, 3])
    plain = env.images()
    env.on_reset = turn_red
    env.reset(ONE, seeds=[2])
    images = env.images()
    for camera, pictures in images.items():
        assert torch.equal(pictures[[0, 2]], plain[camera][[0, 2]])
        assert not bool(pictures[1, ..., 1:].any()) and bool(pictures[1, ..., 0].any())
    # Another renderer, which is made later, shows the same.
    assert not bool(env.images(image_size=16)["front"][1, ..., 1:].any())


@pytest.mark.parametrize("engine", ENGINES)
def test_physics_is_changed_in_the_worlds_that_reset(engine: Engine) -> None:
    masks = []

    def make_heavy(env: BatchedEnv, mask: torch.Tensor) -> None:
        masks.append(mask.tolist())
        masses = env.sim.model_field("body_mass")
        body = env.worlds.body_id("obj")
        write(masses[:, body], mask, 2.0 * float(env.model.body_mass[body]))

    env = make(engine, cameras=(), on_reset=make_heavy, varies_physics=True)
    plain = make(engine, cameras=(), varies_physics=True)
    env.on_reset = None
    env.reset(seeds=[1, 2, 3])
    plain.reset(seeds=[1, 2, 3])
    env.on_reset = make_heavy
    for each in (env, plain):
        each.reset(ONE, seeds=[2])
    assert masks == [ONE.tolist()]
    for name, factor in (("body_mass", 2.0), ("body_invweight0", 0.5)):
        found, usual = (
            each.sim.model_field(name)[:, env.worlds.body_id("obj")].reshape(3, -1)[:, 0].double()
            for each in (env, plain)
        )
        expected = usual.clone()
        expected[1] *= factor
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)
    for _ in range(40):
        actions = plain.expert_actions()
        state, usual = env.step(actions).state, plain.step(actions).state
    torch.testing.assert_close(state[[0, 2]], usual[[0, 2]], rtol=0, atol=1e-4)
    assert float((state[1] - usual[1]).abs().max()) > 1e-4


def test_rows_keep_what_was_written() -> None:
    def double(env: BatchedEnv, mask: torch.Tensor) -> None:
        env.sim.model_field("body_mass")[mask] *= 2
        env.looks["sun"][mask] *= 0.5

    env = make(cameras=(), on_reset=double, varies_physics=True)
    sun = env.looks["sun"].clone()
    env.reset(seeds=[1, 2, 3])
    env.reset(ONE, seeds=[2])
    factors = torch.tensor([2.0, 4.0, 2.0])
    body = env.worlds.body_id("obj")
    usual = float(env.model.body_mass[body])
    masses = env.sim.model_field("body_mass")[:, body].float()
    torch.testing.assert_close(masses, usual * factors)
    found = env.looks["sun"].reshape(3, -1)
    torch.testing.assert_close(found, sun.reshape(3, -1) / factors[:, None].to(found))


def test_it_comes_after_what_is_drawn() -> None:
    env = make(randomisation=Randomisation(colours=1.0), on_reset=turn_red)
    env.reset(seeds=[1, 2, 3])
    assert not bool(env.images()["front"][..., 1:].any())
    env.on_reset = None
    env.reset(ONE, seeds=[2])
    images = env.images()["front"]
    assert bool(images[1, ..., 1:].any()) and not bool(images[[0, 2], ..., 1:].any())


def test_it_gets_the_mask_on_the_device_and_need_not_wait(
    waiting_refused: Callable[..., AbstractContextManager[object]],
) -> None:
    red = torch.tensor([1.0, 0.0, 0.0])
    env = make(on_reset=lambda env, mask: write(env.looks["colour"], mask, red), defer_checks=True)
    env.reset(seeds=[1, 2, 3])
    env.images()
    with waiting_refused(ONE):
        env.reset(ONE, seeds=[2])
        images = env.images()
    assert not bool(images["front"][..., 1:].any())


@pytest.mark.parametrize("engine", ENGINES)
def test_physics_that_does_not_vary_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidSettingError, match=r"body_mass is no .* with varies_physics=True"):
        make(engine, cameras=()).sim.model_field("body_mass")
