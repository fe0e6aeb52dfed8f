"""What training holds between two gradient steps: taken out of a strategy and put back.

Weights, optimiser moments, the generators of every draw, Avalanche's clock and the state of the
validation. Put into a new strategy, the next step is the one that an unbroken run would take. The
tensors of the continual-learning plugins stand in `training_state.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

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
    strategy.model.load_state_dict(part(tensors, "model."))
    for name in _CLOCK:
        setattr(strategy.clock, name, numbers["clock"][name])


def capture_training(strategy: Any) -> tuple[Tensors, Numbers]:
    """Return what training holds after a gradient step.

    Returns:
        Named tensors, and numbers as JSON holds them.
    """
    tensors, numbers = capture_model(strategy)
    state = capture_optimizer(strategy.model, strategy.optimizer)
    tensors |= {f"optimizer.{name}": value for name, value in state.items()}
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
    restore_optimizer(strategy.model, strategy.optimizer, part(tensors, "optimizer."))
    strategy.generator.set_state(tensors["random.batches"])
    torch.set_rng_state(tensors["random.torch"])
    if "random.cuda" in tensors and strategy.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], strategy.device)
    strategy.validation.load(part(tensors, "validation."), numbers["validation"], strategy.device)
    strategy.losses = list(numbers["losses"])
    done = numbers["clock"]["train_exp_iterations"]
    loader = strategy.dataloader
    loader.num_batches -= done
    if numbers["is_stopped"]:
        next(iter(loader), None)  # Avalanche's loop draws a batch more before it breaks.
        loader.num_batches = 0


def capture_optimizer(module: nn.Module, optimizer: torch.optim.Optimizer) -> Tensors:
    """Return what an optimiser keeps of each parameter, as `<what>.<parameter>`."""
    return {
        f"{key}.{name}": value
        for name, weight in module.named_parameters()
        for key, value in optimizer.state.get(weight, {}).items()
    }


def restore_optimizer(
    module: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Undo `capture_optimizer`."""
    weights = dict(module.named_parameters())
    counts_there = {
        id(weight)
        for group in optimizer.param_groups
        if group.get("fused") or group.get("capturable")
        for weight in group["params"]
    }
    for entry, value in tensors.items():
        key, name = entry.split(".", 1)
        weight = weights[name]
        # AdamW counts its steps on the CPU, but for the fused one, whose kernel reads them.
        is_there = value.ndim > 0 or id(weight) in counts_there
        placed = value.to(weight.device) if is_there else value
        optimizer.state[weight][key] = placed.clone()


def part(tensors: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """Return the tensors under a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
