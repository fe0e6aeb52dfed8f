"""The warp engine behind the same protocol. Its kernels take a minute to compile the first time."""

import dataclasses
import json
from importlib.resources import files

import mujoco_warp
import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import UnstableSimulationError
from lam_envs.sim.buffers import Room, room_of
from lam_envs.sim.protocol import DERIVED_FIELDS, STATE_FIELDS
from lam_envs.sim.warp import WarpSim
from lam_envs.tasks.registry import task_names
from lam_envs.warp_runtime import working_on

NEAR_STEPS = {"reach": 60, "push": 25, "hammer": 9, "door-open": 15, "drawer-open": 60}
"""Task -> control steps before the first contact, in which both engines are in the same state."""

ALL_FIELDS = (*STATE_FIELDS, *DERIVED_FIELDS)


def make(task: str, num_worlds: int, engine: str = "warp", **settings: object) -> BatchedEnv:
    return BatchedEnv(task, num_worlds, engine=engine, num_threads=1, **settings)  # type: ignore[arg-type]


def expert_success(env: BatchedEnv) -> float:
    env.reset(seeds=range(env.num_envs))
    is_success = torch.zeros(env.num_envs, dtype=torch.bool)
    for _ in range(env.horizon):
        is_success |= env.step(env.expert_actions()).is_success
    return float(is_success.float().mean())


# The same as the native engine -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("task", NEAR_STEPS)
def test_it_is_near_the_native_engine(task: str) -> None:
    native, warp = make(task, 2, "native"), make(task, 2)
    for name in ALL_FIELDS:
        assert warp.sim.field(name).shape == native.sim.field(name).shape, name
        assert warp.sim.field(name).dtype == torch.float32, name
    state = warp.reset(seeds=[1, 2])
    torch.testing.assert_close(state.double(), native.reset(seeds=[1, 2]), rtol=0, atol=1e-5)
    for _ in range(NEAR_STEPS[task]):
        actions = native.expert_actions()
        expected, result = native.step(actions), warp.step(actions)
        error = warp.sim.field("qpos").double() - native.sim.field("qpos")
        assert float(error.abs().max()) < 1e-3
        torch.testing.assert_close(result.state.double(), expected.state, rtol=0, atol=1e-3)
        assert bool(result.reward.isfinite().all())
    for name in ("geom_xpos", "geom_xmat", "cam_xpos", "cam_xmat"):
        native.sim.field(name).copy_(warp.sim.field(name))
    ours, theirs = warp.images(), native.images()
    for camera, pictures in ours.items():
        assert int((pictures.int() - theirs[camera].int()).abs().max()) <= 1, camera


@pytest.mark.slow
@pytest.mark.parametrize("task", NEAR_STEPS)
def test_the_expert_succeeds_as_often(task: str) -> None:
    rates = [expert_success(make(task, 8, engine, cameras=())) for engine in ("native", "warp")]
    assert rates[0] > 0.5 and abs(rates[0] - rates[1]) <= 0.03


# Worlds by themselves --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("task", NEAR_STEPS)
def test_a_masked_reset_touches_its_worlds_alone_and_random_actions_fill_no_buffer(
    task: str,
) -> None:
    warp = make(task, 3, cameras=())
    warp.reset(seeds=[1, 2, 3])
    generator = torch.Generator().manual_seed(4)
    action = torch.zeros(3, 4)
    for _ in range(100):
        action = 0.9 * action + 0.3 * (2 * torch.rand(3, 4, generator=generator) - 1)
        warp.step(action.clamp(-1, 1))  # A full buffer would raise.
    used = warp.sim.used_room() if isinstance(warp.sim, WarpSim) else Room()
    assert 0 < used.constraints < room_of(task).constraints
    before = {name: warp.sim.field(name).clone() for name in ALL_FIELDS}
    warp.reset(torch.tensor([False, True, False]), seeds=[5])
    for name, value in before.items():
        assert torch.equal(warp.sim.field(name)[[0, 2]], value[[0, 2]]), name
    assert not torch.equal(warp.sim.field("qpos")[1], before["qpos"][1])


@pytest.mark.slow
@pytest.mark.parametrize("task", NEAR_STEPS)
def test_the_captured_graph_steps_as_mujoco_warp_does(task: str) -> None:
    warp = make(task, 2, cameras=())
    warp.reset(seeds=[1, 2])
    for _ in range(20):
        warp.step(warp.expert_actions())
    sim = warp.sim
    assert isinstance(sim, WarpSim)
    everywhere, state = torch.ones(2, dtype=torch.bool), sim.get_state()

    def captured() -> None:
        sim.step(num_substeps=5, refresh=False)

    def eager() -> None:
        with working_on(sim.device):
            for _ in range(5):
                mujoco_warp.step(sim._model, sim._data)

    found = []
    for run in (captured, captured, eager):  # Scratch of the steps before leaves some rounding.
        sim.set_state(everywhere, state)
        run()
        found.append({name: sim.field(name).clone() for name in STATE_FIELDS})
    for name in STATE_FIELDS:
        torch.testing.assert_close(found[1][name], found[2][name], rtol=0, atol=1e-5)
    assert float((sim.get_state() - state).abs().max()) > 1e-2


@pytest.mark.slow
def test_a_world_that_breaks_is_told_or_dropped() -> None:
    warp = make("push", 2, cameras=())
    warp.reset(seeds=[1, 2])
    actions = torch.zeros(2, 4)
    warp.sim.field("qvel")[1, 3] = torch.nan
    with pytest.raises(UnstableSimulationError, match=r"world 1 of push became unstable .*NaN"):
        warp.step(actions)
    warp.reset(torch.tensor([False, True]), seeds=[3])
    assert bool(warp.step(actions).state.isfinite().all())

    # Or its episode is dropped, and the other world goes on.
    warp.on_unstable = "drop"
    warp.sim.field("qvel")[1, 3] = torch.nan
    for _ in range(2):
        result = warp.step(actions)
        assert result.is_unstable.tolist() == [False, True]
        assert bool(result.state.isfinite().all())


# Room ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "words"), [(Room(1, 400), "the 1 contacts"), (Room(128, 8), "8 constraint rows")]
)
def test_a_full_buffer_is_an_error(monkeypatch: pytest.MonkeyPatch, room: Room, words: str) -> None:
    monkeypatch.setattr("lam_envs.batched.room_of", lambda task: room)
    env = make("push", 2, cameras=())
    with pytest.raises(
        UnstableSimulationError, match=rf"of push became unstable .*full buffer.* {words}"
    ):
        env.reset(seeds=[1, 2])


def test_every_task_has_twice_the_room_that_was_needed() -> None:
    text = files("lam_envs.sim").joinpath("buffers.json").read_text(encoding="utf-8")
    measured = json.loads(text)["tasks"]
    assert set(measured) == set(task_names())
    for task, used in measured.items():
        room = dataclasses.asdict(room_of(task))
        for name, value in room.items():
            assert 2 * used[name] <= value < 2 * used[name] + 8, task


def test_a_task_that_was_not_measured_has_the_most_room() -> None:
    most = Room()
    assert room_of("my-own-task") == most
    assert all(room_of(task).constraints <= most.constraints for task in task_names())
