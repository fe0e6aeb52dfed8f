"""Continual learning with Avalanche: stream, strategies, plugins (the only place that imports it)."""
