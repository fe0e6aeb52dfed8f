"""What training holds between two gradient steps: taken out of a strategy and put back.

Weights, optimiser moments, the generators of every draw, Avalanche's clock and the state of the
validation. Put into a new strategy, the next step is the one that an unbroken run would take. The
tensors of the continual-learning plugins change only between experiences; `snapshot.py` keeps them
with the end of an experience.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

_CLOCK = (
    "train_iterations",
    "train_exp_counter",
    "train_exp_epochs",
    "train_exp_iterations",
    "train_epoch_iterations",
    "total_iterations",
)

Tensors = dict[str, torch.Tensor]
Numbers = dict[str, Any]


def capture_model(strategy: Any) -> tuple[Tensors, Numbers]:
    """Return what is left of an experience when it is over: the policy and the clock.

    Returns:
        Named tensors, and numbers as JSON holds them.
    """
    tensors = {f"model.{name}": value for name, value in strategy.model.state_dict().items()}
    return tensors, {"clock": {name: getattr(strategy.clock, name) for name in _CLOCK}}


def restore_model(strategy: Any, tensors: Mapping[str, torch.Tensor], numbers: Numbers) -> None:
    """Undo `capture_model`."""
    strategy.model.load_state_dict(_part(tensors, "model."))
    for name in _CLOCK:
        setattr(strategy.clock, name, numbers["clock"][name])


def capture_training(strategy: Any) -> tuple[Tensors, Numbers]:
    """Return what training holds after a gradient step.

    Returns:
        Named tensors, and numbers as JSON holds them.
    """
    tensors, numbers = capture_model(strategy)
    for name, weight in strategy.model.named_parameters():
        for key, value in strategy.optimizer.state.get(weight, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    tensors["random.batches"] = strategy.generator.get_state()
    tensors["random.torch"] = torch.get_rng_state()
    if strategy.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(strategy.device)
    tensors |= {f"validation.{k}": v for k, v in strategy.validation.tensors().items()}
    numbers["validation"] = strategy.validation.numbers()
    numbers["losses"] = list(strategy.losses)
    numbers["is_stopped"] = bool(strategy._stop_training)
    return tensors, numbers


def restore_training(strategy: Any, tensors: Mapping[str, torch.Tensor], numbers: Numbers) -> None:
    """Undo `capture_training` in a strategy that has just begun the same experience."""
    restore_model(strategy, tensors, numbers)
    weights = dict(strategy.model.named_parameters())
    for key in _keys(tensors, "optimizer."):
        for name, value in _part(tensors, f"optimizer.{key}.").items():
            # AdamW counts its steps on the CPU.
            placed = value if value.ndim == 0 else value.to(weights[name].device)
            strategy.optimizer.state[weights[name]][key] = placed
    strategy.generator.set_state(tensors["random.batches"])
    torch.set_rng_state(tensors["random.torch"])
    if "random.cuda" in tensors and strategy.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], strategy.device)
    strategy.validation.load(_part(tensors, "validation."), numbers["validation"], strategy.device)
    strategy.losses = list(numbers["losses"])
    done = numbers["clock"]["train_exp_iterations"]
    loader = strategy.dataloader
    loader.num_batches = 0 if numbers["is_stopped"] else loader.num_batches - done


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """Return the tensors under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _keys(tensors: Iterable[str], prefix: str) -> list[str]:
    """Return the words that follow a prefix."""
    words = (
        name.removeprefix(prefix).split(".", 1)[0] for name in tensors if name.startswith(prefix)
    )
    return list(dict.fromkeys(words))
