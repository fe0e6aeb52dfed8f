"""Task streams: from names to tasks, and whether tasks fit together."""
