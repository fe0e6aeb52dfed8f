"""Videos of a success and of a failure of each task: MP4 with the extra [video], else GIF."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import torch

from lam_agent.config import RunConfig
from lam_agent.evaluation.acting import ActingPolicy
from lam_agent.evaluation.evaluate import Evaluation
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.seeding import start_seeds
from lam_agent.system import simulation_on
from lam_agent.types import Progress, no_progress
from lam_envs.batched import BatchedEnv
from lam_envs.tasks.registry import make_task

_VIDEO_SIZE = 256
_FRAME_EVERY = 4
"""Control steps between two frames: at 80 Hz, 20 frames a second in real time."""


def write_videos(
    policy: VisualActionPolicy,
    evaluations: Mapping[str, Evaluation],
    folder: Path,
    config: RunConfig,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Write up to `config.video` successes and as many failures of each task.

    The chosen test episodes are run again from their starts.

    Args:
        policy: The policy.
        evaluations: Last evaluation of each task, which says what succeeded.
        folder: Where the videos go.
        config: The run's configuration.
        progress: Called after each episode.

    Returns:
        What `results.json` tells of each: task, outcome, episode, path from the run folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".mp4" if find_spec("imageio_ffmpeg") else ".gif"
    chosen = []
    for task, evaluation in evaluations.items():
        for word, wanted in (("success", True), ("failure", False)):
            episodes = (evaluation.is_success == wanted).nonzero()[:, 0].tolist()
            chosen += [(task, word, episode) for episode in episodes[: config.video]]
    written = []
    for done, (task, word, episode) in enumerate(chosen):
        progress(done / len(chosen), f"writing the video of {task}, {word}")
        path = folder / f"{task}_{word}_{episode:03d}{suffix}"
        frames_per_second = 1.0 / (make_task(task).control_dt * _FRAME_EVERY)
        _write(path, record_episode(policy, task, episode, config), frames_per_second)
        written.append(
            {
                "task": task,
                "outcome": word,
                "episode": episode,
                "path": f"{folder.name}/{path.name}",
            }
        )
    return written


def record_episode(
    policy: VisualActionPolicy, task: str, episode: int, config: RunConfig
) -> npt.NDArray[np.uint8]:
    """Run one test episode and return its frames: front and wrist view side by side.

    Returns:
        RGB, shape (frames, 256, 512, 3), uint8.
    """
    engine, device = simulation_on(config.sim.engine, str(policy.device))
    env = BatchedEnv(
        task,
        1,
        image_size=policy.config.image_size,
        horizon=config.eval.horizon,
        num_threads=config.threads,
        on_unstable=config.sim.on_unstable,
        engine=engine,
        device=device,
    )
    acting = ActingPolicy(policy, env.task.instruction)
    env.reset(seeds=start_seeds(task, "test", episode + 1)[episode:])
    frames = []
    for step in range(env.horizon):
        if step % _FRAME_EVERY == 0:
            views = env.images(image_size=_VIDEO_SIZE)
            frames.append(torch.cat([views[camera][0] for camera in env.cameras], 1).cpu().numpy())
        if bool(env.step(acting(env)).is_unstable):
            break  # There is nothing more to see.
    return np.stack(frames)


def encode_png(image: npt.NDArray[np.uint8]) -> str:
    """Return an image, shape (H, W, 3), as PNG in base64."""
    return base64.b64encode(iio.imwrite("<bytes>", image, extension=".png")).decode("ascii")


def _write(path: Path, frames: npt.NDArray[np.uint8], rate: float) -> None:
    """Write frames as a video of `rate` frames a second."""
    if path.suffix == ".mp4":
        iio.imwrite(path, frames, fps=rate, codec="libx264", macro_block_size=16)
    else:
        iio.imwrite(path, frames, duration=1000.0 / rate, loop=0)
