"""Continual learning: the only place that imports Avalanche."""
