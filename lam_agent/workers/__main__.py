"""A worker: reads weights and tasks, measures them, writes how they went, until the run ends."""

from __future__ import annotations

import os
import sys
from typing import IO

import torch
from safetensors.torch import load

from lam_agent.config import RunConfig
from lam_agent.config.file import config_from_plain
from lam_agent.evaluation.evaluate import evaluate_on_test
from lam_agent.policy.modes import freeze
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.system import keep_freed_memory, peak_memory_mb
from lam_agent.workers.messages import evaluation_to_plain, receive, send


def serve(inward: IO[bytes], outward: IO[bytes]) -> None:
    """Answer messages until there are no more.

    Args:
        inward: Where the configuration comes from, then tasks, with weights where they are new.
        outward: Where each evaluation goes, or the error that came in its place.
    """
    message, _ = receive(inward)
    config = config_from_plain(message["config"], "the configuration of the run")
    policy = VisualActionPolicy(config.policy)
    while True:
        message, content = receive(inward)
        if content:
            policy = _policy(load(content), config)
        send(outward, _answer(policy, message["task"], config))


def _policy(tensors: dict[str, torch.Tensor], config: RunConfig) -> VisualActionPolicy:
    """Return the policy that has these weights; in training it may have factors of `lora`."""
    policy = VisualActionPolicy(config.policy)
    if tensors.keys() != policy.state_dict().keys():
        freeze(policy, config.adapt, rank=config.adaptation.rank, seed=0)
    policy.load_state_dict(tensors)
    return policy


def _answer(policy: VisualActionPolicy, task: str, config: RunConfig) -> dict[str, object]:
    """Measure a policy on the test starts of a task."""
    try:
        evaluation = evaluate_on_test(policy, task, config, threads=1)
    except Exception as error:  # The run measures the cell itself, and raises what is raised then.
        return {"error": f"{type(error).__name__}: {error}"}
    return {"evaluation": evaluation_to_plain(evaluation), "peak_memory_mb": peak_memory_mb()}


def main() -> None:
    """Serve the run that started this process."""
    inward, outward = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # What libraries print must not come between messages.
    keep_freed_memory()
    torch.set_num_threads(1)
    try:
        serve(inward, outward)
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
