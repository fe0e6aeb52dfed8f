"""Messages between a run and its workers: a line of JSON, then bytes of safetensors, if any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import torch

from lam_agent.evaluation.evaluate import Evaluation

_SIZE = "num_bytes"


def send(stream: IO[bytes], message: Mapping[str, Any], payload: bytes = b"") -> None:
    """Write a message and the bytes that belong to it.

    Raises:
        OSError: Nobody reads any longer.
    """
    line = json.dumps({**message, _SIZE: len(payload)})
    stream.write(line.encode() + b"\n" + payload)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """Read the next message and its bytes.

    Raises:
        EOFError: Nobody writes any longer.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    message: dict[str, Any] = json.loads(line)
    size = message.pop(_SIZE)
    payload = stream.read(size)
    if len(payload) < size:
        raise EOFError
    return message, payload


def evaluation_to_plain(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON holds it, to the last bit."""
    return {
        "task": evaluation.task,
        "is_success": evaluation.is_success.tolist(),
        "is_success_at_end": evaluation.is_success_at_end.tolist(),
        "reward": evaluation.reward.tolist(),
        "is_unstable": evaluation.is_unstable.tolist(),
    }


def evaluation_from_plain(plain: Mapping[str, Any]) -> Evaluation:
    """Undo `evaluation_to_plain`."""
    return Evaluation(
        task=plain["task"],
        is_success=torch.tensor(plain["is_success"], dtype=torch.bool),
        is_success_at_end=torch.tensor(plain["is_success_at_end"], dtype=torch.bool),
        reward=torch.tensor(plain["reward"], dtype=torch.float64),
        is_unstable=torch.tensor(plain["is_unstable"], dtype=torch.bool),
    )
