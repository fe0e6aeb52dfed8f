"""Results with every kind of value, for the reports."""

import pytest

from lam_agent.results import Cost, Results, WallTime
from lam_agent.success_matrix import SuccessMatrix

NAN = float("nan")


@pytest.fixture
def results() -> Results:
    """Results of a run that learned reach twice, all of its numbers different."""
    matrix = SuccessMatrix(
        [[0.02, 0.08, 0.02], [0.96, 0.1, NAN], [0.74, 0.88, NAN], [0.98, 0.7, 1.0]],
        [[0.0, 0.04, 0.0], [0.9, 0.06, NAN], [0.72, 0.78, NAN], [0.94, 0.62, 0.92]],
        [[50, 50, 50], [50, 50, NAN], [50, 50, NAN], [50, 50, 25]],
    )
    return Results(
        tasks=("reach", "push", "reach"),
        strategy="replay",
        seed=7,
        protocol={
            "episodes": 50,
            "horizon": 200,
            "validation": {"episodes": 20},
            "starts": [11, 12],
        },
        matrix=matrix,
        metrics={
            "average_success": 0.893,
            "forgetting": 0.053,
            "nbt": -1e-17,
            "auc": None,
            "retention": 0.932,
            "robust_retention": 0.811,
        },
        cost=Cost(
            WallTime(61.5, 302.75, 40.25, 410.5), 2345.6, 63_998_976, 120_456_789, 412_345, 501_234
        ),
        experiences_done=3,
        intervals={"average_success": (0.841, 0.936), "forgetting": (-0.012, 0.118), "auc": None},
        per_task=(
            {"task": "reach", "gradient_steps": 750, "loss": 0.0125, "stopped_early": True},
            {"task": "push", "gradient_steps": 1250, "note": None},
        ),
        versions={"torch": "2.13.0", "mujoco": "4.0.0"},
    )
