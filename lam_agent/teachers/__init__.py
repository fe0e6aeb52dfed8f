"""Teachers: who demonstrates a task."""
