"""A run: experience by experience it adapts the policy, measures it and keeps what it found."""
