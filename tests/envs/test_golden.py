"""Golden pictures: both cameras of each task, side by side, as policies were trained on them.

After a change of the looks that is meant, write them anew and look at them all:

    python tests/envs/test_golden.py
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lam_envs.batched import BatchedEnv
from lam_envs.tasks.registry import task_names

FOLDER = Path(__file__).parent / "golden"

SEED, NUM_STEPS = 11, 20

MEAN_TOLERANCE = 2.0
"""Grey levels, of 255: what rounding on other processors may change at outlines, and more."""

CHANGED_TOLERANCE = 0.02
"""Share of pixels that may differ by more than ten grey levels: small things must not vanish."""


def picture(task: str) -> npt.NDArray[np.uint8]:
    """Draw both cameras side by side after a few steps of the expert, shape (64, 128, 3)."""
    env = BatchedEnv(task, 1, num_threads=1)
    env.reset(seeds=[SEED])
    for _ in range(NUM_STEPS):
        env.step(env.expert_actions())
    return np.concatenate([image[0].numpy() for image in env.images().values()], axis=1)


@pytest.mark.parametrize("task", task_names())
def test_pictures_are_those_that_policies_know(task: str) -> None:
    golden = np.asarray(Image.open(FOLDER / f"{task}.png"), dtype=np.int16)
    difference = np.abs(picture(task) - golden)
    assert difference.mean() < MEAN_TOLERANCE
    assert (difference.max(-1) > 10).mean() < CHANGED_TOLERANCE


def test_every_golden_picture_is_of_a_task() -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(task_names())


if __name__ == "__main__":
    for name in task_names():
        Image.fromarray(picture(name)).save(FOLDER / f"{name}.png", optimize=True)
