"""What is asked of a GPU before worlds are made on it; all but the last test need none."""

from pathlib import Path
from types import ModuleType

import mujoco_warp
import pytest
import torch
import warp as wp

from lam_envs.batched import BatchedEnv
from lam_envs.errors import DeviceMemoryError, InvalidSettingError
from lam_envs.randomisation.ranges import MODERATE, Randomisation
from lam_envs.rays import placing, tracing_pixels
from lam_envs.scene import load_model
from lam_envs.sim import kernels
from lam_envs.sim.buffers import room_of
from lam_envs.sim.gpu import (
    SCRATCH_PER_CONTACT,
    bytes_per_world,
    check_driver,
    check_memory,
    driver_versions,
)
from lam_envs.sim.gpu import _size as size
from lam_envs.sim.warp import WarpSim
from lam_envs.sim.warp import _physics_model as physics_model
from lam_envs.tasks.registry import make_task
from lam_envs.warp_runtime import working_on

GIB = 2**30


def test_a_driver_that_is_new_enough_is_taken() -> None:
    check_driver((13, 0), (13, 0))
    check_driver((13, 1), (12, 9))


def test_an_old_driver_is_refused_with_both_versions() -> None:
    with pytest.raises(
        InvalidSettingError,
        match=r"has CUDA 12\.8, .* needs CUDA 13\.0 or newer, driver R580; update",
    ):
        check_driver((12, 8), (13, 0))


def test_no_driver_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="no NVIDIA driver was found"):
        check_driver(None, (13, 0))


def test_warp_says_which_driver_it_needs() -> None:
    found, needed = driver_versions()
    assert len(needed) == 2 and needed[0] >= 11
    assert (found is None) or len(found) == 2


@pytest.mark.parametrize("task", ["push", "hammer"])
def test_the_memory_of_a_world_is_what_warp_sets_aside(task: str) -> None:
    physics = physics_model(load_model(make_task(task).model_file))
    room = {"nconmax": 50, "njmax": 200}
    with wp.ScopedDevice("cpu"):
        one, many = (size(mujoco_warp.make_data(physics, nworld=n, **room)) for n in (32, 96))
    each = bytes_per_world(physics, **room)
    kept = each - 50 * SCRATCH_PER_CONTACT
    assert kept > 10_000
    assert abs((many - one) / 64 - kept) < 0.02 * kept
    assert bytes_per_world(physics, nconmax=100, njmax=400) > 1.3 * each
    copied = bytes_per_world(physics, ("geom_xmat", "time"), **room)
    assert copied == each + 4 * (9 * physics.ngeom + 1)


@pytest.mark.slow
def test_a_step_takes_as_much_scratch_as_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator = wp._src.context.CpuDefaultAllocator
    take, give_back = allocator.allocate, allocator.deallocate
    held = [0]

    def counted(self: object, size: int) -> int:
        held.append(held[-1] + size)
        return take(self, size)

    def uncounted(self: object, address: int, size: int) -> None:
        held.append(held[-1] - size)
        give_back(self, address, size)

    monkeypatch.setattr(allocator, "allocate", counted)
    monkeypatch.setattr(allocator, "deallocate", uncounted)
    most = []
    for num_worlds in (4, 12):
        env = BatchedEnv("push", num_worlds, engine="warp", cameras=())
        env.reset(seeds=range(num_worlds))
        assert isinstance(env.sim, WarpSim)
        with working_on(env.device):
            held[:] = [0]
            mujoco_warp.step(env.sim._model, env.sim._data)
        most.append(max(held))
    counted_on = SCRATCH_PER_CONTACT * room_of("push").contacts
    assert 0.9 < (most[1] - most[0]) / 8 / counted_on <= 1.0


def test_too_many_worlds_are_refused_with_the_number_that_fits() -> None:
    check_memory(900, GIB // 1000, GIB)
    with pytest.raises(DeviceMemoryError, match=r"4000 worlds need 4\.0 GiB .* 1\.0 GiB are free"):
        check_memory(4000, GIB // 1000, GIB)
    with pytest.raises(DeviceMemoryError, match="ask for 900 worlds at most"):
        check_memory(901, GIB // 1000, GIB)


@pytest.mark.skipif(
    not wp._src.context.runtime.nvrtc_supported_archs, reason="this Warp compiles nothing for CUDA"
)
@pytest.mark.parametrize("module", [kernels, placing, tracing_pixels], ids=lambda m: m.__name__)
def test_kernels_compile_for_a_gpu_that_is_not_there(module: ModuleType, tmp_path: Path) -> None:
    (binary,) = wp.compile_aot_module(module, arch=90, module_dir=tmp_path, use_ptx=False)
    assert binary.suffix == ".cubin" and binary.read_bytes().startswith(b"\x7fELF")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_without_cuda_the_sentence_says_what_to_look_at(device: str) -> None:
    with pytest.raises(InvalidSettingError, match=r"torch finds 0 CUDA devices; set the device to"):
        BatchedEnv("push", 2, engine="warp", device=device)


@pytest.mark.gpu
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("randomisation", [None, MODERATE], ids=["plain", "randomised"])
def test_torch_finds_no_wait_in_steps_and_resets(randomisation: Randomisation | None) -> None:
    env = BatchedEnv("push", 64, engine="warp", device="cuda", randomisation=randomisation)
    mask = torch.arange(64) % 4 == 0

    def run_a_while() -> torch.Tensor:
        for seed in range(3):
            for _ in range(4):
                result = env.step(env.expert_actions())
            env.reset(mask, seeds=range(seed, seed + 16))
            env.images()
        return result.state

    env.reset(seeds=range(64))
    run_a_while()  # Compiles, captures and makes the constants.
    torch.cuda.set_sync_debug_mode("error")
    try:
        state = run_a_while()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    env.check()
    assert bool(state.isfinite().all())
