"""Compile the kernels of the warp engine for a GPU, on a machine that may have none.

    python -m benchmarks.engine_kernels [--arch 90] [--tasks cw10] [--out kernels]

Where `WARP_CACHE_PATH` names the folder, a GPU of that architecture starts in seconds; compiling
takes minutes otherwise, of a GPU machine that is paid by the minute. The versions of warp-lang and
mujoco-warp must be the same there. The tasks are stepped, reset, randomised and rendered on Warp's
CPU device to learn which kernels they launch; what only a CUDA device launches is compiled there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.bare_loop import bare_loop
from lam_envs.batched import BatchedEnv
from lam_envs.randomisation.ranges import MODERATE
from lam_envs.rays import placing, tracing_pixels
from lam_envs.scene import CAMERAS
from lam_envs.sim import kernels
from lam_envs.streams.resolve import resolve_stream
from lam_envs.warp_runtime import wp

OWN_KERNELS = (placing.place, tracing_pixels.trace_pixels, kernels.copy)
"""One kernel of each module of ours that runs on a GPU."""

Variants = dict[tuple[str, int], Any]
"""Name of a module, threads in a block -> the module."""


@contextmanager
def recorded(variants: Variants) -> Iterator[None]:
    """Record what is launched meanwhile."""
    originals = {name: getattr(wp, name) for name in ("launch", "launch_tiled")}

    def recording(original: Any) -> Any:
        def launch(kernel: Any, *args: Any, **kwargs: Any) -> Any:
            add(variants, kernel, kwargs.get("block_dim"))
            return original(kernel, *args, **kwargs)

        return launch

    for name, original in originals.items():
        setattr(wp, name, recording(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(wp, name, original)


def add(variants: Variants, kernel: Any, block_dim: int | None = None) -> None:
    """Add the module of a kernel."""
    module = kernel.module
    variants[module.name, block_dim or module.options["block_dim"]] = module


def launches(tasks: Sequence[str]) -> Variants:
    """Return what the tasks launch, physics, resets, pictures, and mujoco_warp's own renderer."""
    variants: Variants = {}
    for kernel in OWN_KERNELS:
        add(variants, kernel)
    with recorded(variants):
        for task in tasks:
            for randomisation in (None, MODERATE):
                env = BatchedEnv(
                    task,
                    2,
                    engine="warp",
                    device="cpu",
                    defer_checks=True,
                    randomisation=randomisation,
                )
                env.reset(seeds=range(2))
                env.step(torch.zeros(2, 4))
                env.reset(torch.tensor([True, False]), seeds=[2])
                env.check()
            for cameras in ((), CAMERAS[:1], CAMERAS):
                bare_loop(env, cameras)()
    return variants


def compile_for(variants: Variants, arch: int, folder: Path) -> int:
    """Compile for an architecture what a folder lacks; return how many modules that were."""
    wp.config.kernel_cache_dir = str(folder / wp.__version__)
    Path(wp.config.kernel_cache_dir).mkdir(parents=True, exist_ok=True)
    num_compiled = 0
    for (_, block_dim), module in sorted(variants.items(), key=lambda item: item[0]):
        # `wp.compile_aot_module` compiles for a module's usual block alone.
        module.get_module_hash(block_dim)
        options = module.resolved_options[block_dim]
        num_compiled += module._compile(output_arch=arch, use_ptx=False, options=options)
    return num_compiled


def main(arguments: Sequence[str] | None = None) -> None:
    """Compile the kernels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", type=int, default=90, help="90: H100 and H200")
    parser.add_argument("--tasks", default="cw10")
    parser.add_argument("--out", type=Path, default=Path("kernels"))
    asked = parser.parse_args(arguments)
    variants = launches(resolve_stream(asked.tasks.split(",")))
    start = time.perf_counter()
    count = compile_for(variants, asked.arch, asked.out)
    seconds = time.perf_counter() - start
    print(f"{len(variants)} modules, of which {count} were compiled, in {seconds:.0f} s")


if __name__ == "__main__":
    main()
