"""Milliseconds of a look of one robot: the controller, and the same policy as an ONNX file.

    python -m benchmarks.controller_latency [--checkpoint lam-tiny] [--threads 1] [--looks 200]
        [--repeats 5] [--json FILE]

A look is a chunk of actions for one observation, pictures included, with all checks of the
controller; interleaved, medians. Robots look once in `execute_length` control steps.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.timing import interleaved_rates, write_report
from lam_agent.checkpoint import load_pretrained
from lam_agent.controller import Controller
from lam_agent.export import OUTPUT, export_onnx


def looks_of(controller: Controller, onnx: Path, threads: int) -> dict[str, Callable[[], Any]]:
    """Return a look of each by its name."""
    generator = np.random.default_rng(0)
    observation: dict[str, Any] = {}
    for key, entry in controller.contract.observation.items():
        is_picture = entry.dtype == "uint8"
        numbers = (
            generator.integers(256, size=entry.shape)
            if is_picture
            else generator.random(entry.shape)
        )
        observation[key] = numbers.astype(entry.dtype)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    given = {key: value[None] for key, value in observation.items()} | {"task": np.array([0])}
    return {
        "controller": lambda: controller.act_chunk(observation),
        "onnx": lambda: session.run([OUTPUT], given),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="lam-tiny")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--looks", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    default = Path(__file__).parent / "results" / "controller_latency.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    policy, contract = load_pretrained(asked.checkpoint)
    controller = Controller(policy, contract, next(iter(contract.tasks)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.onnx"
        export_onnx(policy, contract, path)
        looks = looks_of(controller, path, asked.threads)

    def many(look: Callable[[], Any]) -> Callable[[], None]:
        def call() -> None:
            for _ in range(asked.looks):
                look()

        return call

    rates = interleaved_rates(
        {name: (many(look), asked.looks) for name, look in looks.items()}, asked.repeats
    )
    found = {name: 1e3 / rate for name, rate in rates.items()}
    for name, milliseconds in found.items():
        print(f"{name:<12}{milliseconds:>8.2f} ms a look")
    settings = {"checkpoint": asked.checkpoint, "threads": asked.threads}
    write_report(asked.json, {**settings, "milliseconds": found})


if __name__ == "__main__":
    main()
