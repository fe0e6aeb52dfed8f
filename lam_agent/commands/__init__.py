"""The commands of `lam-agent`, one a file, and what some share; `run` and `benchmark` lie above."""
