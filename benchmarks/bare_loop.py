"""The loop of mujoco_warp alone: its steps, and pictures by its own renderer, as one graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lam_envs.batched import BatchedEnv
from lam_envs.graphs import Graphs
from lam_envs.looks import VISIBLE_GROUPS
from lam_envs.sim.warp import WarpSim
from lam_envs.sim.warp_physics import mujoco_warp
from lam_envs.tasks.sawyer import NUM_SUBSTEPS
from lam_envs.warp_runtime import working_on, wp


def bare_loop(env: BatchedEnv, cameras: Sequence[str] = ()) -> Callable[[], None]:
    """Return a control step of mujoco_warp alone, on the model and the data of an environment.

    Nothing is commanded, read or checked. Its renderer draws without textures and shadows, as ours
    does; what its buffer holds is not made into tensors.

    Args:
        env: Worlds of the warp engine.
        cameras: Cameras that it renders after the physics steps; empty for none.
    """
    sim = env.sim
    assert isinstance(sim, WarpSim)
    model, data = sim._model, sim._data
    device = wp.get_device(str(env.device))
    parts: dict[str, Callable[[], object]] = {"step": lambda: mujoco_warp.step(model, data)}
    names = ["step"] * NUM_SUBSTEPS
    if cameras:
        with wp.ScopedDevice(device):
            context = mujoco_warp.create_render_context(
                env.model,
                nworld=env.num_envs,
                cam_res=(env.image_size, env.image_size),
                render_rgb=True,
                render_depth=False,
                render_seg=False,
                use_textures=False,
                enabled_geom_groups=list(VISIBLE_GROUPS),
                cam_active=list(cameras),
            )

        def render() -> None:
            mujoco_warp.refit_bvh(model, data, context)
            mujoco_warp.render(model, data, context)

        parts["render"] = render
        names.append("render")
    graphs = Graphs(device, parts)

    def call() -> None:
        with working_on(env.device):
            graphs.launch(*names)

    return call
