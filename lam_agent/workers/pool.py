"""The workers of a run, as the run sees them: it hands in cells and gets their evaluations."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from queue import SimpleQueue
from tempfile import TemporaryFile

from safetensors.torch import save

from lam_agent.config import RunConfig, to_plain
from lam_agent.errors import WorkerError
from lam_agent.evaluation.evaluate import Evaluation
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.workers.messages import evaluation_from_plain, receive, send

_MOST_WORDS = 200
"""Letters of what a process wrote last that an error repeats."""

_numbers = count()


@dataclass(frozen=True)
class Weights:
    """Weights of a policy as they travel to workers.

    Attributes:
        content: All tensors of the policy, as safetensors holds them.
        number: Another one for each policy, so that a worker that has it is not sent it again.
    """

    content: bytes = field(repr=False)
    number: int = field(default_factory=lambda: next(_numbers))

    @classmethod
    def of(cls, policy: VisualActionPolicy) -> Weights:
        """Copy the weights of a policy."""
        tensors = {name: value.cpu().contiguous() for name, value in policy.state_dict().items()}
        return cls(save(tensors))


class EvaluationWorkers:
    """Processes of one thread each that measure cells of the success matrix.

    They end with the run, however it ends.

    Args:
        config: The run's configuration.
        num_workers: Number of processes, at least 1; they start at once.
    """

    def __init__(self, config: RunConfig, num_workers: int) -> None:
        self._workers = [_Worker(config) for _ in range(num_workers)]
        #: Those that wait for a cell; None once all have ended.
        self._idle: SimpleQueue[_Worker | None] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix="lam-worker")

    @property
    def peak_memory_mb(self) -> float:
        """Return the largest resident sizes of the processes so far, added, 10^6 bytes."""
        return sum(worker.peak_memory_mb for worker in self._workers)

    def submit(self, weights: Weights, task: str) -> Future[Evaluation]:
        """Hand in a cell; while no worker has begun with it, it can be cancelled.

        Args:
            weights: The policy's weights.
            task: Name of the task, whose test starts it is measured on.

        Returns:
            The evaluation, or a `WorkerError` where a worker could not measure it.
        """
        return self._threads.submit(self._measure, weights, task)

    def close(self) -> None:
        """Stop the processes; cells that are not measured yet are dropped."""
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.forget()

    def _measure(self, weights: Weights, task: str) -> Evaluation:
        worker = self._idle.get()
        if worker is None:
            self._idle.put(None)
            raise WorkerError(f"no process is left that could measure {task}.")
        try:
            return worker.measure(weights, task)
        finally:
            if not worker.has_ended:
                self._idle.put(worker)
            elif all(worker.has_ended for worker in self._workers):
                self._idle.put(None)


@contextmanager
def evaluation_workers(config: RunConfig) -> Iterator[EvaluationWorkers | None]:
    """Have the workers that a configuration asks for while the block runs; None for none."""
    if not config.workers:
        yield None
        return
    workers = EvaluationWorkers(config, config.workers)
    try:
        yield workers
    finally:
        workers.close()


class _Worker:
    """One process."""

    def __init__(self, config: RunConfig) -> None:
        self.peak_memory_mb = 0.0
        self.has_ended = False
        self._config = config
        self._has: int | None = None
        self._words = TemporaryFile()  # noqa: SIM115 (closed by `forget`)
        # Its packages lie where ours do, and tasks of one's own may lie beside the command.
        path = os.pathsep.join(entry or os.curdir for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lam_agent.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the run, which then stops its workers.
        )

    def measure(self, weights: Weights, task: str) -> Evaluation:
        """Measure a cell; wait until it is done.

        Raises:
            WorkerError: The process has ended, or could not measure it.
        """
        inward, outward = self._process.stdout, self._process.stdin
        assert inward is not None and outward is not None
        try:
            if self._has is None:
                send(outward, {"config": to_plain(self._config)})
            is_new = self._has != weights.number
            send(outward, {"task": task}, weights.content if is_new else b"")
            self._has = weights.number
            answer, _ = receive(inward)
        except (OSError, ValueError, EOFError) as error:  # A closed pipe is a ValueError.
            self.stop()
            raise WorkerError(
                f"the process that measured {task} has ended with status {self._process.wait()}"
                f"{self._last_words()}; look whether the memory suffices, or use fewer --workers."
            ) from error
        if "error" in answer:
            raise WorkerError(f"a process could not measure {task}: {answer['error']}")
        self.peak_memory_mb = answer["peak_memory_mb"]
        return evaluation_from_plain(answer["evaluation"])

    def _last_words(self) -> str:
        """Return the last line that the process wrote, such as why it could not start."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({last[:_MOST_WORDS]})" if last else ""

    def stop(self) -> None:
        """End the process."""
        self.has_ended = True
        self._process.terminate()

    def forget(self) -> None:
        """Close the pipes to a process that ends, once nobody waits for it."""
        with suppress(OSError), self._process:  # What was not sent yet cannot be any more.
            pass
        self._words.close()
