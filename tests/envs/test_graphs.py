"""Captured graphs: one launch gives, bit for bit, what its parts give one after the other."""

import gc
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.graphs import Graphs
from lam_envs.looks import drawn_geoms, standard_appearance
from lam_envs.randomisation.ranges import MODERATE, Randomisation
from lam_envs.rays.pictures import Pictures
from lam_envs.scene import load_model
from lam_envs.sim.protocol import DERIVED_FIELDS, INTEGRATION_FIELDS
from lam_envs.sim.warp import WarpSim
from lam_envs.tasks.registry import make_task
from lam_envs.warp_runtime import wp

Launched = list[tuple[str, ...]]


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what lets all graphs run as they are from then on."""
    return lambda: monkeypatch.setattr(Graphs, "launch", Graphs.run)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Launched]:
    """The sequences that were launched as one graph."""
    names: Launched = []
    launch = wp.capture_launch

    def count(graph: wp.Graph) -> None:
        names.extend(key for key, known in all_graphs() if known is graph)
        launch(graph)

    every: list[Graphs] = []
    make = Graphs.__init__

    def made(self: Graphs, *args: object) -> None:
        every.append(self)
        make(self, *args)  # type: ignore[arg-type]

    def all_graphs() -> Iterator[tuple[tuple[str, ...], wp.Graph]]:
        for graphs in every:
            yield from graphs._graphs.items()

    monkeypatch.setattr(wp, "capture_launch", count)
    monkeypatch.setattr(Graphs, "__init__", made)
    yield names


def roll_out(env: BatchedEnv) -> list[torch.Tensor]:
    """Return all that steps and masked resets leave behind."""
    env.reset(seeds=[1, 2, 3])
    generator = torch.Generator().manual_seed(0)
    found = []
    for seeds in ([4, 5], [6, 7], [8, 9]):
        for _ in range(4):
            result = env.step(2 * torch.rand(3, 4, generator=generator) - 1)
            found += [result.state, result.reward]
        found.append(env.reset(torch.tensor([True, False, True]), seeds=seeds))
        sim = env.sim
        assert isinstance(sim, WarpSim)
        found += [sim.get_state(), *(sim.field(name).clone() for name in DERIVED_FIELDS)]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "randomisation"),
    [("push", None), ("push", MODERATE), ("box-close", None), ("stick-push", None)],
    ids=["push", "push randomised", "box-close", "stick-push"],
)
def test_steps_and_masked_resets_are_the_same_without_graphs(
    task: str, randomisation: Randomisation | None, eager: Callable[[], None]
) -> None:
    settings = {"engine": "warp", "cameras": (), "randomisation": randomisation}
    captured = roll_out(BatchedEnv(task, 3, **settings))  # type: ignore[arg-type]
    eager()
    expected = roll_out(BatchedEnv(task, 3, **settings))  # type: ignore[arg-type]
    assert len(captured) == len(expected)
    for one, other in zip(captured, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_a_step_is_one_launch_and_so_is_each_masked_step_of_a_reset(launched: Launched) -> None:
    env = BatchedEnv("push", 3, engine="warp", cameras=())
    mask = torch.tensor([False, True, False])
    env.reset(seeds=[1, 2, 3])
    for _ in range(2):  # Once to compile, once to capture.
        env.step(torch.zeros(3, 4))
        env.reset(mask, seeds=[4])
    launched.clear()
    env.step(torch.zeros(3, 4))
    assert launched == [("step",) * 5 + ("pose", "note")]
    launched.clear()
    env.reset(mask, seeds=[4])
    assert launched.count(("write",)) == 1  # The settled state.
    assert launched.count(("keep", "step", "put_back", "note")) == 1
    assert set(launched) == {
        ("write",),
        ("keep", "step", "put_back", "note"),
        ("keep", "pose", "put_back"),
    }


@pytest.mark.slow
def test_more_steps_than_a_graph_has_are_several_launches(launched: Launched) -> None:
    env = BatchedEnv("push", 2, engine="warp", cameras=())
    env.reset(seeds=[1, 2])
    sim, mask = env.sim, torch.tensor([True, False])
    start = sim.get_state()
    ends = []
    for lengths in ((13,), (13,), (5, 5, 3)):
        launched.clear()
        sim.set_state(torch.ones(2, dtype=torch.bool), start)
        for num_substeps in lengths:
            sim.step(mask, num_substeps=num_substeps, refresh=True)
        ends.append((sim.get_state(), list(launched)))
    block = ("step",) * 5
    assert ends[1][1][1:] == [("keep", *block[:3]), block, block, ("pose", "put_back", "note")]
    assert torch.equal(ends[1][0][1], start[1])
    assert not torch.equal(ends[1][0][0], start[0])
    # Scratch of the steps before leaves some rounding.
    torch.testing.assert_close(ends[1][0], ends[2][0], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_memory_is_set_aside_once() -> None:
    env = BatchedEnv("push", 2, engine="warp", cameras=())
    sim = env.sim
    assert isinstance(sim, WarpSim)

    def places() -> list[int]:
        views = [sim.field(name) for name in DERIVED_FIELDS]
        views += [wp.to_torch(getattr(sim._data, name)) for name in INTEGRATION_FIELDS]
        views += [sim._some.mask, sim._some.rows, *map(wp.to_torch, sim._some._kept)]
        return [view.data_ptr() for view in views]

    before = places()
    mask = torch.tensor([True, False])
    env.reset(seeds=[1, 2])
    for seed in range(3):
        env.step(torch.zeros(2, 4))
        env.reset(mask, seeds=[seed])
    assert places() == before


def test_pictures_are_the_same_without_a_graph(launched: Launched) -> None:
    model = load_model(make_task("push").model_file)
    rng = np.random.default_rng(0)
    drawn = drawn_geoms(model)
    with wp.ScopedDevice("cpu"):
        by_pixel, by_world = (
            Pictures(model, drawn, 2, ["front", "wrist"], 24, by_pixel=each)
            for each in (True, False)
        )
    env = BatchedEnv("push", 2, num_threads=1)
    env.reset(seeds=[1, 2])
    looks = standard_appearance(model, 2)
    for _ in range(3):
        env.step(env.expert_actions())
        looks.colour[:] = rng.random(looks.colour.shape)
        poses = {
            name: env.sim.field(name) for name in ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat")
        }
        for pictures in (by_pixel, by_world):
            pictures.dress(looks.tensors())
            pictures.pose(poses)
            with wp.ScopedDevice("cpu"):
                pictures.draw()
        assert torch.equal(by_pixel.images, by_world.images)
        assert bool(by_pixel.images.any())
    assert launched == [("draw",)] * 2  # Of three: it is compiled before it is captured.


def test_pictures_and_engine_give_their_memory_back_without_the_garbage_collector() -> None:
    model = load_model(make_task("push").model_file)
    with wp.ScopedDevice("cpu"):
        pictures = Pictures(model, drawn_geoms(model), 2, ["front"], 24, by_pixel=True)
        pictures.draw()
        pictures.draw()  # As a graph.
    sim = WarpSim(model, 2)
    kept = weakref.ref(pictures), weakref.ref(sim)
    gc.collect()
    gc.disable()
    try:
        del pictures, sim
        assert [one() for one in kept] == [None, None]
    finally:
        gc.enable()
