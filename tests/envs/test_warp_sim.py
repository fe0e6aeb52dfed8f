"""The warp engine behind the same protocol. Its kernels take a minute to compile the first time."""

import pytest
import torch

from lam_envs.batched import BatchedEnv
from lam_envs.errors import UnstableSimulationError
from lam_envs.sim.protocol import DERIVED_FIELDS, STATE_FIELDS


@pytest.mark.slow
def test_push_is_near_the_native_engine() -> None:
    native = BatchedEnv("push", 2, cameras=(), num_threads=1)
    warp = BatchedEnv("push", 2, cameras=(), engine="warp")
    for name in (*STATE_FIELDS, *DERIVED_FIELDS):
        assert warp.sim.field(name).shape == native.sim.field(name).shape, name
        assert warp.sim.field(name).dtype == torch.float32, name

    state = warp.reset(seeds=[1, 2])
    torch.testing.assert_close(state.double(), native.reset(seeds=[1, 2]), rtol=0, atol=1e-5)
    for _ in range(20):
        actions = native.expert_actions()
        expected, result = native.step(actions), warp.step(actions)
        error = warp.sim.field("qpos").double() - native.sim.field("qpos")
        assert float(error.abs().max()) < 1e-3  # Until the first contact.
        torch.testing.assert_close(result.state.double(), expected.state, rtol=0, atol=1e-3)
        assert bool(result.reward.isfinite().all())

    # A masked reset moves one world only, and the other is as it was.
    before = {name: warp.sim.field(name)[0].clone() for name in (*STATE_FIELDS, *DERIVED_FIELDS)}
    warp.reset(torch.tensor([False, True]), seeds=[3])
    for name, value in before.items():
        assert torch.equal(warp.sim.field(name)[0], value), name

    # What breaks a world is said with its number, and a reset mends it.
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


@pytest.mark.slow
def test_a_full_contact_buffer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lam_envs.sim.warp.MAX_CONTACTS", 1)
    env = BatchedEnv("push", 2, cameras=(), engine="warp")
    with pytest.raises(
        UnstableSimulationError, match=r"of push became unstable .*full buffer.* the 1 contacts"
    ):
        env.reset(seeds=[1, 2])
