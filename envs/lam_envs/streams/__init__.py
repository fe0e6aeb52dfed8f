"""Task streams: those that have a name, from names to tasks, and whether tasks fit together."""
