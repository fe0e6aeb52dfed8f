"""How robust a run's policies are: their tasks in randomised scenes, all at once or by factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lam_agent.config import SimConfig
from lam_agent.evaluation.evaluate import evaluate
from lam_agent.metrics.perturbed import FactorSuccess, Perturbed
from lam_agent.metrics.success_matrix import SuccessMatrix
from lam_agent.policy.policy import VisualActionPolicy
from lam_agent.types import Progress, no_progress
from lam_envs.randomisation.ranges import Randomisation


def measure_robustness(
    load_policy: Callable[[int], VisualActionPolicy],
    tasks: Sequence[str],
    randomisation: Randomisation,
    *,
    episodes: int,
    horizon: int,
    is_joint: bool = False,
    by_factor: bool = False,
    threads: int | None = None,
    sim: SimConfig | None = None,
    progress: Progress = no_progress,
) -> Perturbed:
    """Measure each task of a stream in randomised scenes, when it was learned and after the last.

    Args:
        load_policy: Returns the policy after the experience at a position, from 0.
        tasks: The stream.
        randomisation: How far looks, cameras and physics differ between episodes.
        episodes: Number of test episodes of each cell; their start states are those of the run.
        horizon: Control steps of every episode.
        is_joint: Whether all tasks were learned at once, so that there is the last policy alone.
        by_factor: Whether to measure also, after the last experience, each setting alone.
        threads: CPU threads of the simulation; the result does not depend on it.
        sim: Engine, and what happens where physics breaks; None for the defaults.
        progress: Called before each cell.
    """
    settings, last = asdict(randomisation), len(tasks) - 1
    factors = {name: value for name, value in settings.items() if value and by_factor}
    once = tuple(dict.fromkeys(tasks))
    learned = () if is_joint else tasks[:last]
    num_cells, num_done = len(learned) + (1 + len(factors)) * len(once), 0
    num_unstable = 0

    def cell(policy: VisualActionPolicy, task: str, ranges: Randomisation) -> Mapping[str, Any]:
        nonlocal num_done, num_unstable
        progress(num_done / num_cells, f"evaluating {task}")
        num_done += 1
        evaluation = evaluate(
            policy,
            task,
            episodes=episodes,
            split="test",
            horizon=horizon,
            threads=threads,
            sim=sim,
            randomisation=ranges,
        )
        num_unstable += evaluation.num_unstable
        return evaluation.counts

    matrix = SuccessMatrix.empty(len(tasks))
    for position, task in enumerate(learned):
        counts = cell(load_policy(position), task, randomisation)
        matrix = matrix.with_cell(position + 1, position, **counts)
    policy = load_policy(last)
    found = {task: cell(policy, task, randomisation) for task in once}
    for column, task in enumerate(tasks):
        matrix = matrix.with_cell(last + 1, column, **found[task])
    if not factors:
        return Perturbed(settings, matrix, None, num_unstable)
    alone = FactorSuccess.empty(factors, once)
    for row, (name, value) in enumerate(factors.items()):
        ranges = Randomisation(**{name: value})
        for task in once:
            is_measured = ranges == randomisation  # The only factor there is.
            counts = found[task] if is_measured else cell(policy, task, ranges)
            alone = alone.with_task(row, task, **counts)
    return Perturbed(settings, matrix, alone, num_unstable)
