"""Pictures of tasks at their start: one file for each camera, and a sheet of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from lam_envs.batched import BatchedEnv
from lam_envs.scene import CAMERAS

IMAGE_SIZE = 256
"""Height and width of a picture, pixels."""

_SEED = 0
_TITLE_HEIGHT = 16
_TASKS_IN_ROW = 3


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
