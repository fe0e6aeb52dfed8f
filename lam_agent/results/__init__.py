"""`results.json`: all that a run measured, enough to draw its report again.

Other programs read this file. Its keys are stable; more may come to stand beside them.
"""

from lam_agent.results.content import Cost, Results, WallTime, learning_areas
from lam_agent.results.file import read_results, write_results
from lam_agent.results.plain import seal

__all__ = [
    "Cost",
    "Results",
    "WallTime",
    "learning_areas",
    "read_results",
    "seal",
    "write_results",
]
