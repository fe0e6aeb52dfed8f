"""Meta-World v3 tasks as batched torch functions: one task a file."""
