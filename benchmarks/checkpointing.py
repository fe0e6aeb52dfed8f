"""What checkpointing costs: seconds of snapshots and checkpoints against seconds of training.

    python -m benchmarks.checkpointing [--steps 200] [--json FILE]

Trains the default policy with the default settings on random frames and writes, into a temporary
folder, what a run writes: a snapshot every `train.save_every` steps, one with a full replay buffer
and the controller's checkpoint at the end of an experience, results and report.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.timing import write_report
from lam_agent.config import RunConfig
from lam_agent.continual.batches import Frames
from lam_agent.continual.capture import capture_training
from lam_agent.continual.replay import ReplayBuffer
from lam_agent.continual.stream import make_benchmark
from lam_agent.interrupts import Interrupts
from lam_agent.policy.instruction import bag_of_words
from lam_agent.running.folder import RunFolder
from lam_agent.running.runner import Runner
from lam_agent.seeding import torch_generator


def random_frames(count: int, config: RunConfig, seed: int) -> Frames:
    """Return frames of the sizes that a run has."""
    generator = torch_generator(seed, "frames")
    size, length = config.policy.image_size, config.policy.chunk_length
    shape = (count, size, size, 3)
    return Frames(
        images={
            camera: torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
            for camera in ("front", "wrist")
        },
        proprioception=torch.rand(count, 4, generator=generator),
        tracked=torch.rand(count, 6, generator=generator),
        actions=torch.rand(count, length, 4, generator=generator),
        is_inside=torch.ones(count, length, dtype=torch.bool),
        bag=bag_of_words("random frames"),
    )


def timed(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the median seconds of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[repeats // 2]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="gradient steps that are timed")
    default = Path(__file__).parent / "results" / "checkpointing.json"
    parser.add_argument("--json", type=Path, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        config = RunConfig(output_dir=Path(name) / "run")
        folder = RunFolder.create(config)
        runner = Runner(config, folder, Console(quiet=True), Interrupts())
        first = random_frames(5000, config, 0)
        adaptation = runner.adaptation
        adaptation.fill({0: first, 1: first}, 0)
        (plugin,) = adaptation.plugins
        buffer: ReplayBuffer = plugin.buffer
        buffer.add(first, torch_generator(0, "buffer"))
        times: list[float] = []

        def stop(step: int) -> None:
            times.append(time.perf_counter())
            if step == asked.steps + 20:
                adaptation.strategy.stop_training()

        adaptation.strategy.on_step = stop
        adaptation.validation.every = asked.steps + 20
        adaptation.validation.validate = lambda: 1.0
        experience = list(make_benchmark([first, first]).train_stream)[1]
        adaptation.position = 1
        adaptation.strategy.train(experience, eval_streams=[])
        step_s = (times[-1] - times[20]) / (len(times) - 21)
        tensors, numbers = capture_training(adaptation.strategy)
        snapshot_s = timed(lambda: adaptation._save_snapshot(tensors, numbers, False))
        end_tensors = {**tensors, **plugin.state()}
        end_s = timed(lambda: adaptation._save_snapshot(end_tensors, numbers, True))
        results_s = timed(lambda: runner._write_results(finished=False))
    train = config.train
    training_s = step_s * train.max_steps
    cost_s = snapshot_s * train.max_steps / train.save_every + end_s + results_s
    report = {
        "step_s": step_s,
        "snapshot_s": snapshot_s,
        "end_of_experience_snapshot_s": end_s,
        "replay_bytes": buffer.num_bytes,
        "results_and_report_s": results_s,
        "steps_of_an_experience": train.max_steps,
        "snapshots_of_an_experience": train.max_steps / train.save_every,
        "share_of_training": cost_s / training_s,
    }
    for key, value in report.items():
        print(f"{key:<32}{value:>14,.5g}")
    write_report(asked.json, report)


if __name__ == "__main__":
    main()
