"""Measurements that are too long or too noisy for tests; run from a checkout."""
