"""Loggers beside metrics.jsonl: TensorBoard and Weights & Biases, only where asked for."""

from lam_agent.loggers.factory import make_loggers
from lam_agent.loggers.protocol import FanOut, Logger, LogValue

__all__ = ["FanOut", "LogValue", "Logger", "make_loggers"]
