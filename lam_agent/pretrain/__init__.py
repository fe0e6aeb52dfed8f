"""Pretraining: self-supervised on play, then cloning of many tasks; makes the shipped weights."""
