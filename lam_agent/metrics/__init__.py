"""From success to numbers: matrices of success, metrics over them, and their intervals."""

from lam_agent.metrics.definitions import MATRIX_METRICS, Metric, compute_metrics

__all__ = ["MATRIX_METRICS", "Metric", "compute_metrics"]
