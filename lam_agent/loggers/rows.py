"""Rows as curves: their place on one axis of gradient steps, names of their numbers, pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from lam_agent.loggers.protocol import LogValue

_PLACES = ("position", "step", "row", "column")


def stream_step(values: Mapping[str, LogValue], max_steps: int) -> int:
    """Return a row's place on the axis that all curves share.

    The axis counts `max_steps` for each experience, though training may stop earlier: step s at
    position p is at p · max_steps + s, and row r of the success matrix at r · max_steps.

    Args:
        values: The row's values.
        max_steps: Gradient steps for a task, at most.
    """
    position, step = values.get("position"), values.get("step")
    if isinstance(position, int) and isinstance(step, int):
        return position * max_steps + step
    row = values.get("row")
    return row * max_steps if isinstance(row, int) else 0


def scalars(kind: str, values: Mapping[str, LogValue]) -> dict[str, float]:
    """Return the numbers of a row under the names of their curves.

    They are `kind/name`, such as `training/loss`; a cell of the success matrix has its column and
    task in its name, such as `evaluation/success/1_push`, and a task of pretraining has its own.
    """
    suffix = f"/{values['column']!s}_{values.get('task')!s}" if "column" in values else ""
    if kind == "pretraining":
        suffix = f"/{values.get('task')!s}"
    return {
        f"{kind}/{name}{suffix}": float(value)
        for name, value in values.items()
        if name not in _PLACES and isinstance(value, int | float)
    }


def picture(kind: str, values: Mapping[str, LogValue]) -> tuple[str, Image.Image] | None:
    """Return the name and the picture of a row with a PNG, such as `first_frame/reach/front`."""
    png = values.get("png")
    if not isinstance(png, bytes):
        return None
    name = f"{kind}/{values.get('task')!s}/{values.get('camera')!s}"
    return name, Image.open(io.BytesIO(png)).convert("RGB")
