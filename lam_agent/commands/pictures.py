"""Pictures of tasks at their start: a file for each camera, a sheet of all, and randomised ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from lam_envs.batched import BatchedEnv
from lam_envs.randomisation.ranges import MODERATE
from lam_envs.scene import CAMERAS

IMAGE_SIZE = 256
"""Height and width of a picture, pixels."""

RANDOMISED_TASKS = (
    "push",
    "hammer",
    "drawer-open",
    "door-open",
    "peg-insert-side",
    "coffee-pull",
)
"""Tasks of the sheet that shows what randomisation does."""

_SEED = 0
_TITLE_HEIGHT = 16
_TASKS_IN_ROW = 3
_NUM_DRAWS = 6


def save_pictures(tasks: Sequence[str], folder: Path) -> Path:
    """Save `<task>_<camera>.png` of each task and camera, and `sheet.png`.

    Args:
        tasks: Names of the tasks.
        folder: Where the files are written; it is made if need be.

    Returns:
        The path of the sheet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {task: _first_frame(task) for task in tasks}
    for task, images in pictures.items():
        for camera, image in images.items():
            image.save(folder / f"{task}_{camera}.png")
    path = folder / "sheet.png"
    _sheet(pictures).save(path)
    return path


def save_randomised_pictures(folder: Path) -> Path:
    """Save `randomised.png`: some tasks, each in several draws of `MODERATE`, one row a camera.

    Args:
        folder: Where the file is written.

    Returns:
        The path of the sheet.
    """
    path = folder / "randomised.png"
    columns = _NUM_DRAWS * IMAGE_SIZE
    height = _TITLE_HEIGHT + len(CAMERAS) * IMAGE_SIZE
    sheet = Image.new("RGB", (columns, height * len(RANDOMISED_TASKS)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, task in enumerate(RANDOMISED_TASKS):
        top = row * height
        draw.text((4, top + 2), f"{task}: {_NUM_DRAWS} draws of MODERATE", fill="black")
        for offset, images in enumerate(_randomised_frames(task).values()):
            for column, image in enumerate(images):
                place = (column * IMAGE_SIZE, top + _TITLE_HEIGHT + offset * IMAGE_SIZE)
                sheet.paste(image, place)
    sheet.save(path)
    return path


def _randomised_frames(task: str) -> dict[str, list[Image.Image]]:
    """Return the pictures of each camera at the first frame of several randomised episodes."""
    env = BatchedEnv(
        task, _NUM_DRAWS, cameras=CAMERAS, image_size=IMAGE_SIZE, randomisation=MODERATE
    )
    env.reset(seeds=range(_NUM_DRAWS))
    return {
        camera: [Image.fromarray(picture) for picture in rgb.numpy()]
        for camera, rgb in env.images().items()
    }


def _first_frame(task: str) -> dict[str, Image.Image]:
    """Return the picture of each camera at the first frame of an episode."""
    env = BatchedEnv(task, 1, cameras=CAMERAS, image_size=IMAGE_SIZE)
    env.reset(seeds=[_SEED])
    return {camera: Image.fromarray(rgb[0].numpy()) for camera, rgb in env.images().items()}


def _sheet(pictures: dict[str, dict[str, Image.Image]]) -> Image.Image:
    """Return all pictures on one, with the tasks' names over them."""
    width, height = IMAGE_SIZE * len(CAMERAS), IMAGE_SIZE + _TITLE_HEIGHT
    num_rows = -(-len(pictures) // _TASKS_IN_ROW)
    sheet = Image.new("RGB", (width * _TASKS_IN_ROW, height * num_rows), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (task, images) in enumerate(pictures.items()):
        row, column = divmod(index, _TASKS_IN_ROW)
        left, top = column * width, row * height
        draw.text((left + 4, top + 2), task, fill="black")
        for offset, image in enumerate(images.values()):
            sheet.paste(image, (left + offset * IMAGE_SIZE, top + _TITLE_HEIGHT))
    return sheet
