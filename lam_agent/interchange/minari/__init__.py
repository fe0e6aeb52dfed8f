"""Minari datasets, in and out."""
