"""Processes that measure test success beside training, on CPU cores of their own.

run --config, weights of a row, task--> worker --success of each episode--> run

Two processes of a thread each do more than one of two threads: the phases of a rollout are short,
and in each of them threads wait for the slowest. A cell of the success matrix depends on nothing
but its weights, so it does not matter who measures it, when, or beside how many others.
"""

from lam_agent.workers.pool import EvaluationWorkers, Weights, evaluation_workers
from lam_agent.workers.sharing import share_cores, single_thread

__all__ = ["EvaluationWorkers", "Weights", "evaluation_workers", "share_cores", "single_thread"]
